//! Archives made for the tests, by libraries where they write the format and by hand where not.

use std::io::{Cursor, Write as _};

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use zip::write::{SimpleFileOptions, ZipWriter};

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = GzEncoder::new(Vec::new(), Compression::default());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

pub(super) fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut writer = ZlibEncoder::new(Vec::new(), Compression::default());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

pub(super) fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

pub(super) fn xz(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::default();
    let mut writer = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

pub(super) fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

pub(super) fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

pub(super) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        writer.append_data(&mut header, name, *bytes).unwrap();
    }
    writer.into_inner().unwrap()
}

pub(super) fn ar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = b"!<arch>\n".to_vec();
    for (name, data) in files {
        let header = format!(
            "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n",
            0,
            0,
            0,
            100_644,
            data.len()
        );
        bytes.extend(header.as_bytes());
        bytes.extend(*data);
        if data.len() % 2 == 1 {
            bytes.push(b'\n');
        }
    }
    bytes
}

pub(super) fn cpio(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let pad = |bytes: &mut Vec<u8>| bytes.resize(bytes.len().next_multiple_of(4), 0);
    for (name, data) in files.iter().chain(&[("TRAILER!!!", &b""[..])]) {
        let fields = [
            1,
            0o100_644,
            0,
            0,
            1,
            0,
            data.len(),
            0,
            0,
            0,
            0,
            name.len() + 1,
            0,
        ];
        bytes.extend(b"070701");
        fields
            .iter()
            .for_each(|field| bytes.extend(format!("{field:08X}").as_bytes()));
        bytes.extend(name.as_bytes());
        bytes.push(0);
        pad(&mut bytes);
        bytes.extend(*data);
        pad(&mut bytes);
    }
    bytes
}

/// A package with headers of one empty-handed entry each.
pub(super) fn rpm(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0xED, 0xAB, 0xEE, 0xDB];
    bytes.resize(96, 0);
    let header = |store: &[u8]| {
        let mut header = vec![0x8E, 0xAD, 0xE8, 1, 0, 0, 0, 0, 0, 0, 0, 1];
        header.extend(u32::try_from(store.len()).unwrap().to_be_bytes());
        header.extend([0; 16]);
        header.extend(store);
        header
    };
    bytes.extend(header(b"sig"));
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes.extend(header(b"name"));
    bytes.extend(gzip(&cpio(files)));
    bytes
}

/// A page that draws these strings, and a compressed stream that draws nothing.
pub(super) fn pdf(content: &str, metadata: &str) -> Vec<u8> {
    let mut bytes = b"%PDF-1.5\n%\xE2\xE3\xCF\xD3\n".to_vec();
    for (number, stream) in [content, metadata].iter().enumerate() {
        let packed = zlib(stream.as_bytes());
        let head = format!(
            "{} 0 obj\n<< /Length {} /Filter /FlateDecode >>\nstream\r\n",
            number + 1,
            packed.len()
        );
        bytes.extend(head.as_bytes());
        bytes.extend(packed);
        bytes.extend(b"\nendstream\nendobj\n");
    }
    bytes.extend(b"trailer\n<< >>\n%%EOF\n");
    bytes
}

/// Bytecode of CPython 3.12 that holds these constants.
pub(super) fn pyc(constants: &[&str]) -> Vec<u8> {
    let mut bytes = vec![0xCB, 0x0D, 0x0D, 0x0A];
    bytes.resize(16, 0);
    bytes.extend([0xE3, 0, 0, 0, 0, b')', u8::try_from(constants.len()).unwrap()]);
    for constant in constants {
        bytes.extend([0xDA, u8::try_from(constant.len()).unwrap()]);
        bytes.extend(constant.as_bytes());
    }
    bytes
}

/// A database with this table of two text columns.
pub(super) fn sqlite(rows: &[(&str, &str)]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("made.db");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::query("CREATE TABLE t (name TEXT, value TEXT)")
            .execute(&pool)
            .await
            .unwrap();
        for (name, value) in rows {
            sqlx::query("INSERT INTO t VALUES (?, ?)")
                .bind(*name)
                .bind(*value)
                .execute(&pool)
                .await
                .unwrap();
        }
        pool.close().await;
    });
    std::fs::read(file).unwrap()
}
