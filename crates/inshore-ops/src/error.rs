use inshore_gguf::GgmlType;

/// What can go wrong when a weight or a device is prepared. The operations themselves do not fail.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpsError {
    /// A row of the matrix does not consist of whole quantisation blocks.
    #[error("a {kind} matrix with rows of {cols} values cannot be packed: a block holds {} values", kind.block_len())]
    RowNotWholeBlocks {
        /// Block format of the matrix.
        kind: GgmlType,
        /// Length of a row, in values.
        cols: usize,
    },
    /// The bytes handed over are not the size that format and shape ask for.
    #[error("a {kind} matrix of {rows} x {cols} takes {expected_bytes} bytes, got {actual_bytes}")]
    WrongByteCount {
        /// Block format of the matrix.
        kind: GgmlType,
        /// Rows of the matrix.
        rows: usize,
        /// Length of a row, in values.
        cols: usize,
        /// Bytes that the shape asks for.
        expected_bytes: usize,
        /// Bytes that were given.
        actual_bytes: usize,
    },
    /// The matrix is larger than this platform can address.
    #[error("a {kind} matrix of {rows} x {cols} does not fit this platform's address space")]
    TooLarge {
        /// Block format of the matrix.
        kind: GgmlType,
        /// Rows of the matrix.
        rows: usize,
        /// Length of a row, in values.
        cols: usize,
    },
}
