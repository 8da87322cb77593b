//! What stands before the records: which program was traced, and how.

use std::io::{self, Write};

use crate::input::{Decoded, Input, Stop};
use crate::record::OneLine;
use crate::{MAGIC, VERSION};

/// Which records follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum FileFormat {
    /// Every allocation and free, in their order.
    #[default]
    AllAllocations,
    /// Sums of the peak and of the end, of each stack.
    Aggregated,
}

/// The header, field by field in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// `PY_VERSION_HEX`.
    pub python_version: u32,
    /// Whether native stacks were recorded.
    pub native_traces: bool,
    /// Which records follow.
    pub file_format: FileFormat,
    /// Allocations and frees; 0 when the program was killed.
    pub n_allocations: u64,
    /// Always 0 since Memray 1.19.
    pub n_frames: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub start_time: i64,
    /// The same; equal to the start when the program was killed.
    pub end_time: i64,
    /// Arguments, joined by blanks.
    pub command_line: String,
    /// Process id.
    pub pid: i32,
    /// Memray's own number of the main thread, usually 1.
    pub main_tid: u64,
    /// Outermost frames of that thread that are Memray's own.
    pub skipped_frames_on_main_tid: u64,
    /// 1 pymalloc, 2 pymalloc_debug, 3 malloc, 4 other, 5 mimalloc, 6 mimalloc_debug.
    pub python_allocator: u8,
    /// Whether pymalloc's calls were recorded.
    pub trace_python_allocators: bool,
    /// Whether the lifetimes of objects were recorded.
    pub track_object_lifetimes: bool,
    /// The folder of the standard library.
    pub libdest: String,
    /// Folders of installed packages.
    pub site_packages: Vec<String>,
    /// `sys.path`.
    pub sys_path: Vec<String>,
}

impl Header {
    /// Reads what follows the version.
    pub(crate) fn decode(input: &mut Input<'_>) -> Decoded<Self> {
        Ok(Self {
            python_version: input.i32()? as u32,
            native_traces: input.flag()?,
            file_format: match input.byte()? {
                0 => FileFormat::AllAllocations,
                1 => FileFormat::Aggregated,
                other => {
                    return Err(Stop::Broken(format!("there is no file format {other}")));
                }
            },
            n_allocations: input.u64()?,
            n_frames: input.u64()?,
            start_time: input.u64()? as i64,
            end_time: input.u64()? as i64,
            command_line: input.string()?,
            pid: input.i32()?,
            main_tid: input.u64()?,
            skipped_frames_on_main_tid: input.u64()?,
            python_allocator: input.byte()?,
            trace_python_allocators: input.flag()?,
            track_object_lifetimes: input.flag()?,
            libdest: input.string()?,
            site_packages: strings(input)?,
            sys_path: strings(input)?,
        })
    }

    /// Writes all of it, magic and version included. A NUL in a string ends it.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        out.write_all(&self.python_version.to_le_bytes())?;
        out.write_all(&[u8::from(self.native_traces), self.file_format as u8])?;
        out.write_all(&self.n_allocations.to_le_bytes())?;
        out.write_all(&self.n_frames.to_le_bytes())?;
        out.write_all(&self.start_time.to_le_bytes())?;
        out.write_all(&self.end_time.to_le_bytes())?;
        write_string(out, &self.command_line)?;
        out.write_all(&self.pid.to_le_bytes())?;
        out.write_all(&self.main_tid.to_le_bytes())?;
        out.write_all(&self.skipped_frames_on_main_tid.to_le_bytes())?;
        let flags = [self.trace_python_allocators, self.track_object_lifetimes].map(u8::from);
        out.write_all(&[self.python_allocator, flags[0], flags[1]])?;
        write_string(out, &self.libdest)?;
        for paths in [&self.site_packages, &self.sys_path] {
            // An empty one ends the list.
            for path in paths.iter().filter(|path| !path.is_empty() && !path.starts_with('\0')) {
                write_string(out, path)?;
            }
            out.write_all(&[0])?;
        }
        Ok(())
    }

    /// The header on one line, in the words of `memray parse`.
    #[must_use]
    pub fn line(&self) -> String {
        let list = |paths: &[String]| OneLine(&paths.join(", ")).to_string();
        let format = match self.file_format {
            FileFormat::AllAllocations => "ALL_ALLOCATIONS",
            FileFormat::Aggregated => "AGGREGATED_ALLOCATIONS",
        };
        format!(
            "HEADER magic=memray version={VERSION} python_version={:08x} native_traces={} file_format={format} \
             n_allocations={} n_frames={} start_time={} end_time={} pid={} main_tid={} \
             skipped_frames_on_main_tid={} command_line={} python_allocator={} trace_python_allocators={} \
             track_object_lifetimes={} libdest={} site_packages=[{}] sys.path=[{}]",
            self.python_version,
            self.native_traces,
            self.n_allocations,
            self.n_frames,
            self.start_time,
            self.end_time,
            self.pid,
            self.main_tid,
            self.skipped_frames_on_main_tid,
            OneLine(&self.command_line),
            self.python_allocator_name(),
            self.trace_python_allocators,
            self.track_object_lifetimes,
            OneLine(&self.libdest),
            list(&self.site_packages),
            list(&self.sys_path),
        )
    }

    /// How Memray names the allocator of Python's objects.
    #[must_use]
    pub fn python_allocator_name(&self) -> &'static str {
        match self.python_allocator {
            1 => "pymalloc",
            2 => "pymalloc debug",
            3 => "malloc",
            5 => "mimalloc",
            6 => "mimalloc debug",
            _ => "other",
        }
    }
}

fn strings(input: &mut Input<'_>) -> Decoded<Vec<String>> {
    let mut strings = Vec::new();
    loop {
        let string = input.string()?;
        if string.is_empty() {
            return Ok(strings);
        }
        strings.push(string);
    }
}

/// Writes a string up to its first NUL, and the NUL that ends it.
pub(crate) fn write_string(out: &mut dyn Write, text: &str) -> io::Result<()> {
    out.write_all(text.split('\0').next().unwrap_or_default().as_bytes())?;
    out.write_all(&[0])
}
