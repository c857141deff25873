use http::HeaderValue;
use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};

use super::*;

const TEXT: &str = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
/// The same, as `node:zlib` writes it.
const BROTLI: [u8; 40] = [
    0x8b, 0x11, 0x80, 0x7b, 0x22, 0x6a, 0x73, 0x6f, 0x6e, 0x72, 0x70, 0x63, 0x22, 0x3a, 0x22, 0x32, 0x2e,
    0x30, 0x22, 0x2c, 0x22, 0x69, 0x64, 0x22, 0x3a, 0x31, 0x2c, 0x22, 0x72, 0x65, 0x73, 0x75, 0x6c, 0x74,
    0x22, 0x3a, 0x7b, 0x7d, 0x7d, 0x03,
];

fn gzip(flags: u8, extras: &[u8], text: &[u8]) -> Vec<u8> {
    let mut member = vec![0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3];
    member.extend_from_slice(extras);
    member.extend(compress_to_vec(text, 6));
    member.extend([0; GZIP_TRAILER]);
    member
}

/// What comes of an answer that arrives in chunks of this size.
fn decoded(coding: &str, body: &[u8], size: usize) -> Result<(Vec<u8>, bool), TransportError> {
    let mut headers = HeaderMap::new();
    if !coding.is_empty() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_str(coding).unwrap());
    }
    let mut decoder = Decoder::new(&headers);
    let mut whole = Vec::new();
    for chunk in body.chunks(size) {
        decoder.push(Bytes::copy_from_slice(chunk));
        while let Some(piece) = decoder.next()? {
            assert!(!piece.is_empty() && piece.len() <= PIECE.max(size));
            whole.extend_from_slice(&piece);
        }
    }
    Ok((whole, decoder.is_complete()))
}

#[test]
fn fb_t10_t12_every_coding_is_read_in_whatever_pieces_it_arrives() {
    let text = TEXT.as_bytes();
    let two = [gzip(0, b"", &text[..9]), gzip(0, b"", &text[9..])].concat();
    let padded = [gzip(0, b"", text), vec![0; 20]].concat();
    let all = gzip(0b1_1110, b"\x03\x00abcname\0comment\0cs", text);
    for (coding, body) in [
        ("", text.to_vec()),
        ("identity", text.to_vec()),
        ("UTF-8", text.to_vec()),
        ("none, identity", text.to_vec()),
        ("gzip", gzip(0, b"", text)),
        ("x-gzip", gzip(0, b"", text)),
        ("GZIP, identity", gzip(0, b"", text)),
        ("gzip", all),
        ("gzip", two),
        ("gzip", padded),
        ("deflate", compress_to_vec_zlib(text, 6)),
        ("deflate", compress_to_vec(text, 6)),
        ("br", BROTLI.to_vec()),
        // What is said of it is wrong.
        ("gzip", text.to_vec()),
        ("deflate", text.to_vec()),
        ("zstd", text.to_vec()),
        ("", gzip(0, b"", text)),
        ("br", gzip(0, b"", text)),
        ("br", text.to_vec()),
        // Compressed twice, and said so or not.
        ("gzip, gzip", gzip(0, b"", &gzip(0, b"", text))),
        ("gzip", gzip(0, b"", &gzip(0, b"", text))),
        ("gzip, deflate", compress_to_vec_zlib(&gzip(0, b"", text), 6)),
        ("deflate, gzip", gzip(0, b"", &compress_to_vec_zlib(text, 6))),
        ("br, gzip", gzip(0, b"", &BROTLI)),
        ("gzip, gzip", gzip(0, b"", text)),
        ("gzip, gzip", text.to_vec()),
        ("gzip, deflate, br", text.to_vec()),
    ] {
        // Of one byte, the magic number of gzip is not seen where something else is announced.
        let of_one_byte = !matches!(coding, "" | "br") && !coding.contains("deflate,");
        for size in [1, 2, 7, 4096].into_iter().filter(|size| *size > 1 || of_one_byte) {
            let (whole, complete) = decoded(coding, &body, size).unwrap();
            assert_eq!(String::from_utf8_lossy(&whole), TEXT, "{coding} in chunks of {size}");
            assert!(complete, "{coding} in chunks of {size}");
        }
    }
}

#[test]
fn fb_t10_what_is_cut_off_is_handed_out_as_far_as_it_goes_and_is_not_complete() {
    let long = TEXT.repeat(1000);
    let body = gzip(0, b"", long.as_bytes());
    let (whole, complete) = decoded("gzip", &body[..body.len() / 2], 16).unwrap();
    assert!(long.as_bytes().starts_with(&whole) && !whole.is_empty() && !complete);
    // Without its trailer all of it is there.
    let (whole, complete) = decoded("gzip", &body[..body.len() - GZIP_TRAILER], 16).unwrap();
    assert!(whole == long.as_bytes() && complete);
}

#[test]
fn fb_t12_what_cannot_be_read_is_an_error_that_says_why() {
    let unknown = decoded("zstd", b"\x28\xb5\x2f\xfd", 4).unwrap_err();
    assert_eq!(
        unknown.said(),
        Some("the answer is compressed with zstd, which was not asked for and is not read")
    );
    // Nor is it where the answer does not say so.
    assert_eq!(decoded("", b"\x28\xb5\x2f\xfd", 4).unwrap_err().said(), unknown.said());
    let three = decoded("gzip, br, gzip", b"\x00\x01", 2).unwrap_err();
    assert_eq!(
        three.said(),
        Some("the answer is compressed with several codings, which was not asked for and is not read")
    );
    for (coding, body) in [
        ("gzip", b"\x1f\x8b\x08\x00\0\0\0\0\0\x03\xff\xff\xff\xff".as_slice()),
        ("gzip", b"\x1f\x8b\x07\x00\0\0\0\0\0\x03"),
        ("gzip", b"\x1f\x00\x07\x00\0\0\0\0\0\x03"),
        ("deflate", b"\x78\x9c\xff\xff\xff\xff"),
        ("br", b"\xff\xff\xff\xff\xff\xff"),
    ] {
        let error = decoded(coding, body, 4096).unwrap_err();
        assert_eq!(error.said(), Some("the answer is compressed, and damaged"), "{coding} {body:?}");
    }
    let endless = [b"\x1f\x8b\x08\x08\0\0\0\0\0\x03".as_slice(), &vec![b'n'; MAX_GZIP_HEAD]].concat();
    assert!(decoded("gzip", &endless, 4096).is_err());
}

/// A thousandfold in one chunk comes out in pieces, each of which is asked about before the next.
#[test]
fn s_m01_what_is_compressed_comes_out_in_pieces_of_a_bounded_size() {
    let zeros = vec![0; 64 << 20];
    let body = gzip(0, b"", &zeros);
    assert!(body.len() < 128 << 10, "{}", body.len());
    let (whole, _) = decoded("gzip", &body, body.len().min(PIECE)).unwrap();
    assert_eq!(whole.len(), zeros.len());
}
