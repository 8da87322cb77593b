//! Fixed-size records: one declaration gives the C layout that the tracer writes through its mapping, and the
//! decoder and encoder that treat the same bytes as a slice.

/// A value with a fixed little-endian encoding.
pub trait Word: Sized + Copy {
    /// Decodes the first bytes of `bytes`; `None` when there are too few.
    fn decode(bytes: &[u8]) -> Option<Self>;
    /// Encodes into the first bytes of `out`; `None` when there is no room.
    fn encode(self, out: &mut [u8]) -> Option<()>;
}

macro_rules! int_word {
    ($($int:ty),*) => {$(
        impl Word for $int {
            fn decode(bytes: &[u8]) -> Option<Self> {
                bytes.first_chunk().map(|chunk| Self::from_le_bytes(*chunk))
            }
            fn encode(self, out: &mut [u8]) -> Option<()> {
                out.first_chunk_mut().map(|chunk| *chunk = self.to_le_bytes())
            }
        }
    )*};
}
int_word!(u8, u16, u32, i32, u64, i64);

impl<T: Word + Default, const N: usize> Word for [T; N] {
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut values = [T::default(); N];
        for (i, value) in values.iter_mut().enumerate() {
            *value = T::decode(bytes.get(i * size_of::<T>()..)?)?;
        }
        Some(values)
    }
    fn encode(self, out: &mut [u8]) -> Option<()> {
        for (i, value) in self.into_iter().enumerate() {
            value.encode(out.get_mut(i * size_of::<T>()..)?)?;
        }
        Some(())
    }
}

/// A record of a table, or one of the fixed structures before the tables.
pub trait Record: Sized + Copy + Default {
    /// Bytes of one record in the file.
    const BYTES: usize;
    /// Decodes the first [`Self::BYTES`] of `bytes`; `None` when there are fewer.
    fn decode(bytes: &[u8]) -> Option<Self>;
    /// Encodes into the first [`Self::BYTES`] of `out`; `None` when there are fewer.
    fn encode(&self, out: &mut [u8]) -> Option<()>;
}

/// Bytes of text are records of one byte.
impl Record for u8 {
    const BYTES: usize = 1;
    fn decode(bytes: &[u8]) -> Option<Self> {
        bytes.first().copied()
    }
    fn encode(&self, out: &mut [u8]) -> Option<()> {
        out.first_mut().map(|byte| *byte = *self)
    }
}

/// Declares a `#[repr(C)]` struct of little-endian words without padding, and its [`Record`].
macro_rules! record {
    ($(#[$meta:meta])* $name:ident [$bytes:expr] { $($(#[$field_meta:meta])* $field:ident: $ty:ty,)* }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
        pub struct $name { $($(#[$field_meta])* pub $field: $ty,)* }

        const _: () = assert!(size_of::<$name>() == $bytes && $bytes == 0 $(+ size_of::<$ty>())*);

        impl $crate::Record for $name {
            const BYTES: usize = $bytes;
            #[inline]
            fn decode(bytes: &[u8]) -> Option<Self> {
                // With a length that the compiler knows, no field asks again whether it is there.
                let bytes = bytes.first_chunk::<$bytes>()?;
                Some(Self {
                    $($field: <$ty as $crate::Word>::decode(bytes.get(core::mem::offset_of!(Self, $field)..)?)?,)*
                })
            }
            fn encode(&self, out: &mut [u8]) -> Option<()> {
                $($crate::Word::encode(
                    self.$field,
                    out.get_mut(core::mem::offset_of!(Self, $field)..$bytes)?,
                )?;)*
                Some(())
            }
        }
    };
}
pub(crate) use record;
