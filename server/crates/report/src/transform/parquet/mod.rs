//! Apache Parquet: columns that DuckDB, Polars and Spark query without reading what they do not need.

mod events;
mod stacks;

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

pub use events::EventTable;
pub use stacks::write;

/// Rows that are held in memory at once.
const ROWS: usize = 1 << 16;

/// A column's values, and for those inside a list the levels that say where a row's list begins.
struct Column {
    values: Values,
    levels: Option<(Vec<i16>, Vec<i16>)>,
}

enum Values {
    Text(Vec<ByteArray>),
    Number(Vec<i64>),
}

impl From<Values> for Column {
    fn from(values: Values) -> Self {
        Self { values, levels: None }
    }
}

/// A file in the making.
struct Table<'a>(SerializedFileWriter<&'a mut (dyn Write + Send)>);

impl<'a> Table<'a> {
    fn new(out: &'a mut (dyn Write + Send), schema: &str) -> io::Result<Self> {
        let schema = Arc::new(parse_message_type(schema).map_err(failed)?);
        let properties = WriterProperties::builder().set_compression(Compression::LZ4_RAW).build();
        Ok(Self(SerializedFileWriter::new(out, schema, Arc::new(properties)).map_err(failed)?))
    }

    /// Writes rows, whose columns are in the order of the schema.
    fn add(&mut self, columns: Vec<Column>) -> io::Result<()> {
        self.write(columns).map_err(failed)
    }

    fn write(&mut self, columns: Vec<Column>) -> Result<(), ParquetError> {
        let mut group = self.0.next_row_group()?;
        for column in columns {
            let Some(mut writer) = group.next_column()? else { break };
            let levels = column.levels.as_ref();
            let (definitions, repetitions) = (levels.map(|it| &it.0[..]), levels.map(|it| &it.1[..]));
            match (writer.untyped(), &column.values) {
                (ColumnWriter::ByteArrayColumnWriter(writer), Values::Text(values)) => {
                    writer.write_batch(values, definitions, repetitions)?;
                }
                (ColumnWriter::Int64ColumnWriter(writer), Values::Number(values)) => {
                    writer.write_batch(values, definitions, repetitions)?;
                }
                _ => return Err(ParquetError::General("a column is not what its schema says".to_owned())),
            }
            writer.close()?;
        }
        group.close()?;
        Ok(())
    }

    fn finish(self) -> io::Result<()> {
        self.0.close().map(|_| ()).map_err(failed)
    }
}

/// The error of the output when that is the reason.
fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        error => io::Error::other(error),
    }
}
