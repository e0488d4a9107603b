use inshore_gguf::GgmlType;

use super::reference;
use crate::backends::{Packed, devices, read, words};
use crate::embed;

/// Every format, dequantised exactly: the kernels do the same f32 operations as the plain code.
#[test]
fn embedding_is_exact_in_every_format() {
    for kind in GgmlType::ALL {
        for (rows, blocks, ids) in [(1, 1, vec![0]), (7, 2, vec![6, 0, 3]), (65, 3, (0..65).rev().collect())] {
            let cols = blocks * kind.block_len().max(32);
            check(&Packed::random(kind, rows, cols, rows as u64), &ids);
        }
    }
}

#[test]
fn rows_that_are_no_whole_chunks() {
    for kind in [GgmlType::F32, GgmlType::F16, GgmlType::Bf16] {
        for cols in [1, 2, 7, 31, 33, 65] {
            check(&Packed::random(kind, 5, cols, 3), &[4, 1, 1, 0]);
        }
    }
}

#[test]
fn an_id_past_the_last_row_is_the_last_row() {
    check(&Packed::random(GgmlType::Q8_0, 3, 64, 1), &[3, 2, u32::MAX, 1_000_000]);
}

/// The result of a draw is an input as it is: what stands behind the token does not count.
#[test]
fn only_the_first_ids_count() {
    let table = Packed::random(GgmlType::Q8_0, 9, 64, 1);
    let expected = reference::embed(&[4], &table.words, table.layout);
    for (backend, device) in devices() {
        let got = read(embed(words(&[4, 77, 1], &device), 1, &table.on(&device)));
        assert_eq!(got, expected, "{backend}");
    }
}

/// Subnormal, largest, smallest and signed values of binary16 as values, and as scales.
#[test]
fn binary16_is_exact() {
    let halves: Vec<u16> = (0..=u16::MAX).filter(|bits| bits & 0x7c00 != 0x7c00).collect();
    let layout = crate::PackedLayout::new(GgmlType::F16, 1, halves.len()).expect("any width");
    let bytes: Vec<u8> = halves.iter().flat_map(|bits| bits.to_le_bytes()).collect();
    check(&Packed { layout, words: layout.pack(&bytes, |row| row).expect("one row") }, &[0]);

    let layout = crate::PackedLayout::new(GgmlType::Q8_0, halves.len(), 32).expect("one block a row");
    let bytes: Vec<u8> = halves.iter().flat_map(|bits| bits.to_le_bytes().into_iter().chain(0x60..0x80)).collect();
    let table = Packed { layout, words: layout.pack(&bytes, |row| row).expect("all rows") };
    check(&table, &(0..halves.len() as u32).collect::<Vec<_>>());
}

#[track_caller]
fn check(table: &Packed, ids: &[u32]) {
    let expected = reference::embed(ids, &table.words, table.layout);
    for (backend, device) in devices() {
        let got = read(embed(words(ids, &device), ids.len(), &table.on(&device)));
        let differs = got.iter().zip(&expected).position(|(got, expected)| got != expected);
        let first = differs.map(|at| (at, got[at], expected[at]));
        assert_eq!(first, None, "{backend}, {:?}: (index, got, expected)", table.layout);
        assert_eq!(got.len(), expected.len(), "{backend}");
    }
}
