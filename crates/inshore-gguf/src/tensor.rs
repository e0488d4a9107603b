//! The tensor table of a GGUF file.

use std::ops::Deref;

use crate::{GgmlType, GgufError};

/// Where one tensor lies and what it looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name, unique in the file.
    pub name: String,
    /// How its values are stored.
    pub kind: GgmlType,
    /// One to four dimensions in GGUF order, each at least 1: `shape[0]` is the contiguous row length (the columns).
    pub shape: Vec<u64>,
    /// First byte, counted from the start of the file.
    pub offset: u64,
    /// Length in bytes.
    pub bytes: u64,
}

impl TensorInfo {
    /// Checks the shape against the type and computes the length; `offset` is from the start of the file.
    ///
    /// # Errors
    /// [`GgufError::InvalidShape`].
    pub(crate) fn new(name: String, kind: GgmlType, shape: Vec<u64>, offset: u64) -> Result<Self, GgufError> {
        match packed_bytes(kind, &shape) {
            Ok(bytes) => Ok(Self { name, kind, shape, offset, bytes }),
            Err(reason) => Err(GgufError::InvalidShape { name, kind, shape, reason }),
        }
    }

    /// Values in a row.
    pub fn cols(&self) -> u64 {
        self.shape.first().copied().unwrap_or(1)
    }

    /// Number of rows: the product of all dimensions but the first.
    pub fn rows(&self) -> u64 {
        self.shape.iter().skip(1).fold(1, |rows, &dim| rows.saturating_mul(dim))
    }

    /// Number of values.
    pub fn values(&self) -> u64 {
        self.cols().saturating_mul(self.rows())
    }

    /// Bytes of one row.
    pub fn row_bytes(&self) -> u64 {
        self.bytes / self.rows().max(1)
    }
}

/// Bytes that a tensor takes, or the rule that its shape breaks.
pub(crate) fn packed_bytes(kind: GgmlType, shape: &[u64]) -> Result<u64, &'static str> {
    if shape.contains(&0) {
        return Err("a dimension is zero");
    }
    let Some((&cols, outer)) = shape.split_first() else { return Err("it has no dimension") };
    let block_len = kind.block_len() as u64;
    if !cols.is_multiple_of(block_len) {
        return Err("the row length is not a multiple of the block length");
    }
    let row_bytes = (cols / block_len).checked_mul(kind.block_bytes() as u64);
    outer
        .iter()
        .try_fold(row_bytes, |bytes, &dim| bytes.map(|bytes| bytes.checked_mul(dim)))
        .flatten()
        .ok_or("its size overflows")
}

/// The tensors of a file in file order, found by name; derefs to a slice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tensors {
    infos: Vec<TensorInfo>,
    /// Indices of `infos`, sorted by name.
    by_name: Vec<usize>,
}

impl Tensors {
    /// # Errors
    /// [`GgufError::DuplicateTensor`], [`GgufError::OverlappingTensors`].
    pub(crate) fn new(infos: Vec<TensorInfo>) -> Result<Self, GgufError> {
        let mut by_name: Vec<usize> = (0..infos.len()).collect();
        by_name.sort_unstable_by_key(|&i| infos[i].offset);
        for pair in by_name.windows(2) {
            let (first, second) = (&infos[pair[0]], &infos[pair[1]]);
            // The caller has shown that each tensor ends within the file, so this cannot overflow.
            if first.offset + first.bytes > second.offset {
                return Err(GgufError::OverlappingTensors { first: first.name.clone(), second: second.name.clone() });
            }
        }
        by_name.sort_unstable_by(|&a, &b| infos[a].name.cmp(&infos[b].name));
        for pair in by_name.windows(2) {
            if infos[pair[0]].name == infos[pair[1]].name {
                return Err(GgufError::DuplicateTensor { name: infos[pair[0]].name.clone() });
            }
        }
        Ok(Self { infos, by_name })
    }

    /// The tensor called `name`, if there is one.
    pub fn get(&self, name: &str) -> Option<&TensorInfo> {
        let at = self.by_name.binary_search_by(|&i| self.infos[i].name.as_str().cmp(name)).ok()?;
        Some(&self.infos[self.by_name[at]])
    }
}

impl Deref for Tensors {
    type Target = [TensorInfo];
    fn deref(&self) -> &[TensorInfo] {
        &self.infos
    }
}

impl<'a> IntoIterator for &'a Tensors {
    type Item = &'a TensorInfo;
    type IntoIter = std::slice::Iter<'a, TensorInfo>;
    fn into_iter(self) -> Self::IntoIter {
        self.infos.iter()
    }
}
