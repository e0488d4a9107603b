//! Tensor types: which there are, and how large their blocks are.

use std::fmt;

/// How the values of a tensor are stored.
///
/// Rows are cut into blocks of [`block_len`](Self::block_len) values that take [`block_bytes`](Self::block_bytes) bytes;
/// the layouts are in [`crate::block`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GgmlType {
    /// IEEE binary32.
    F32,
    /// IEEE binary16.
    F16,
    /// The upper half of binary32.
    Bf16,
    /// 32 signed bytes with one scale: 8.5 bits a value.
    Q8_0,
    /// 32 signed nibbles with one scale: 4.5 bits a value.
    Q4_0,
    /// 32 unsigned nibbles with scale and minimum: 5 bits a value.
    Q4_1,
    /// 32 signed five-bit numbers with one scale: 5.5 bits a value.
    Q5_0,
    /// 32 unsigned five-bit numbers with scale and minimum: 6 bits a value.
    Q5_1,
    /// 256 nibbles, scale and minimum per 32 of them: 4.5 bits a value.
    Q4K,
    /// 256 five-bit numbers, scale and minimum per 32 of them: 5.5 bits a value.
    Q5K,
    /// 256 six-bit numbers, scale per 16 of them: 6.5625 bits a value.
    Q6K,
}

/// One line of the table of types.
struct Row {
    kind: GgmlType,
    name: &'static str,
    code: u32,
    block_len: usize,
    block_bytes: usize,
}

const fn row(kind: GgmlType, name: &'static str, code: u32, block_len: usize, block_bytes: usize) -> Row {
    Row { kind, name, code, block_len, block_bytes }
}

/// In the order of the enum, so that `TABLE[kind as usize]` is its row (a unit test holds this).
const TABLE: [Row; 11] = [
    row(GgmlType::F32, "F32", 0, 1, 4),
    row(GgmlType::F16, "F16", 1, 1, 2),
    row(GgmlType::Bf16, "BF16", 30, 1, 2),
    row(GgmlType::Q8_0, "Q8_0", 8, 32, 2 + 32),
    row(GgmlType::Q4_0, "Q4_0", 2, 32, 2 + 16),
    row(GgmlType::Q4_1, "Q4_1", 3, 32, 2 + 2 + 16),
    row(GgmlType::Q5_0, "Q5_0", 6, 32, 2 + 4 + 16),
    row(GgmlType::Q5_1, "Q5_1", 7, 32, 2 + 2 + 4 + 16),
    row(GgmlType::Q4K, "Q4_K", 12, 256, 2 + 2 + 12 + 128),
    row(GgmlType::Q5K, "Q5_K", 13, 256, 2 + 2 + 12 + 32 + 128),
    row(GgmlType::Q6K, "Q6_K", 14, 256, 128 + 64 + 16 + 2),
];

/// Types that GGUF files use and this crate does not read, named for error messages.
const OTHER: [(u32, &str); 21] = [
    (9, "Q8_1"),
    (10, "Q2_K"),
    (11, "Q3_K"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (28, "F64"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
];

impl GgmlType {
    /// The type called `name`, e.g. `Q4_0`.
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.name == name).map(|row| row.kind)
    }

    /// All supported types.
    pub const ALL: [Self; 11] = {
        let mut all = [Self::F32; 11];
        let mut i = 0;
        while i < all.len() {
            all[i] = TABLE[i].kind;
            i += 1;
        }
        all
    };

    /// Values in one block: 1, 32 or 256.
    pub const fn block_len(self) -> usize {
        TABLE[self as usize].block_len
    }

    /// Bytes of one block.
    pub const fn block_bytes(self) -> usize {
        TABLE[self as usize].block_bytes
    }

    /// The number that stands for this type in a GGUF file.
    pub const fn code(self) -> u32 {
        TABLE[self as usize].code
    }

    /// The type's usual name, as in `"Q4_K"`.
    pub const fn name(self) -> &'static str {
        TABLE[self as usize].name
    }

    /// Whether values are stored as scaled integers.
    pub const fn is_quantized(self) -> bool {
        self.block_len() > 1
    }

    /// The type that a GGUF file calls `code`; `None` for a type that this crate cannot read.
    pub fn from_code(code: u32) -> Option<Self> {
        TABLE.iter().find(|row| row.code == code).map(|row| row.kind)
    }

    /// Bytes of a row of `cols` values; `None` if `cols` is not a multiple of the block length, or on overflow.
    pub fn row_bytes(self, cols: usize) -> Option<usize> {
        if !cols.is_multiple_of(self.block_len()) {
            return None;
        }
        (cols / self.block_len()).checked_mul(self.block_bytes())
    }

    /// Name for any type code, for messages.
    pub(crate) fn name_of_code(code: u32) -> &'static str {
        match Self::from_code(code) {
            Some(kind) => kind.name(),
            None => OTHER.iter().find(|(other, _)| *other == code).map_or("unknown", |(_, name)| name),
        }
    }

    /// The names of all supported types, for messages.
    pub(crate) fn supported() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl fmt::Display for GgmlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_in_enum_order() {
        for (i, row) in TABLE.iter().enumerate() {
            assert_eq!(row.kind as usize, i);
            assert_eq!(GgmlType::from_code(row.code), Some(row.kind));
        }
    }

    #[test]
    fn row_bytes_refuses_part_blocks_and_overflow() {
        assert_eq!(GgmlType::Q4_1.row_bytes(576), Some(360));
        assert_eq!(GgmlType::Q4_1.row_bytes(577), None);
        assert_eq!(GgmlType::Q6K.row_bytes(512), Some(420));
        assert_eq!(GgmlType::F32.row_bytes(usize::MAX), None);
        assert_eq!(GgmlType::F32.row_bytes(0), Some(0));
    }

    #[test]
    fn display_pads() {
        assert_eq!(format!("[{:>6}]", GgmlType::Q4K), "[  Q4_K]");
    }
}
