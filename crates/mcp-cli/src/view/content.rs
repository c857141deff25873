//! Content blocks of tool results, resources and prompts: text as it is, anything else as a line that names it, or
//! as a file.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::view::shown;

/// The members of a content block, or of the contents of a resource, that are shown.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Block<'a> {
    r#type: String,
    #[serde(borrow, deserialize_with = "in_place")]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "in_place")]
    data: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "in_place")]
    blob: Option<Cow<'a, str>>,
    mime_type: Option<String>,
    uri: Option<String>,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A text that may be large: a copy is made only where it holds escapes.
fn in_place<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'de, str>>, D::Error> {
    Ok(Option::<Text<'_>>::deserialize(deserializer)?.map(|Text(text)| text))
}

/// Where content goes that is not text.
#[derive(Clone, Debug)]
pub(crate) struct Sink {
    /// The directory of `-o`.
    pub(crate) directory: Option<PathBuf>,
    /// How files begin: the tool, or the resource.
    pub(crate) stem: String,
}

impl Sink {
    /// The lines that are printed for one block. Binary content is saved where a directory was given.
    pub(crate) fn show<'a>(&self, block: &'a RawValue) -> io::Result<Cow<'a, str>> {
        // Some servers send the text without a block around it.
        if let Ok(text) = serde_json::from_str::<Text<'a>>(block.get()) {
            return Ok(text.0);
        }
        let view: Block<'a> = serde_json::from_str(block.get()).unwrap_or_default();
        if let Some(resource) = view.resource {
            return self.show(resource);
        }
        if let Some(text) = view.text {
            return Ok(text);
        }
        let kind = match view.r#type.as_str() {
            "" if view.blob.is_some() => "resource",
            "" => "unknown content",
            kind => kind,
        };
        let mut line = kind.to_owned();
        if let Some(mime_type) = &view.mime_type {
            line.push_str(&format!(", {mime_type}"));
        }
        match (view.data.or(view.blob), &view.uri) {
            (Some(data), _) => match STANDARD.decode(data.trim()) {
                Ok(bytes) => {
                    line.push_str(&format!(", {} bytes", bytes.len()));
                    if let Some(directory) = &self.directory {
                        let file = save(directory, &self.stem, view.mime_type.as_deref(), &bytes)?;
                        line.push_str(&format!(", saved to {}", file.display()));
                    }
                }
                Err(_) => line.push_str(&format!(", {} characters that are no base64", data.len())),
            },
            (None, Some(uri)) => line.push_str(&format!(", {uri}")),
            (None, None) => line.push_str(&format!(", {} bytes of JSON", block.get().len())),
        }
        Ok(format!("[{}]", shown::line(&line)).into())
    }
}

/// Saves `bytes` under a name that is not taken: nothing is ever overwritten.
fn save(directory: &Path, stem: &str, mime_type: Option<&str>, bytes: &[u8]) -> io::Result<PathBuf> {
    std::fs::create_dir_all(directory)?;
    let extension = extension(mime_type.unwrap_or_default());
    // A tool's name or a URI may hold anything; a file name may not.
    let stem: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' })
        .take(80)
        .collect();
    let stem = stem.trim_matches('.');
    let stem = if stem.is_empty() { "content" } else { stem };
    for number in 1_u32.. {
        let path = directory.join(format!("{stem}-{number}.{extension}"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => return file.write_all(bytes).map(|()| path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn extension(mime_type: &str) -> &'static str {
    match mime_type.split(';').next().unwrap_or_default().trim() {
        "image/png" => "png",
        "image/jpeg" => "jpg",
        "image/gif" => "gif",
        "image/webp" => "webp",
        "image/svg+xml" => "svg",
        "audio/wav" | "audio/x-wav" => "wav",
        "audio/mpeg" => "mp3",
        "audio/ogg" => "ogg",
        "video/mp4" => "mp4",
        "application/pdf" => "pdf",
        "application/json" => "json",
        "application/gzip" => "gz",
        "application/zip" => "zip",
        "text/plain" => "txt",
        "text/html" => "html",
        _ => "bin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(sink: &Sink, block: &str) -> String {
        sink.show(&RawValue::from_string(block.to_owned()).unwrap()).unwrap().into_owned()
    }

    #[test]
    fn text_is_printed_as_it_is_and_the_rest_is_named() {
        let sink = Sink { directory: None, stem: "tool".into() };
        for (block, expected) in [
            (r#"{"type":"text","text":"a\nb"}"#, "a\nb"),
            (r#"{"type":"text","text":"a\n"}"#, "a\n"),
            (r#"{"type":"image","data":"AAAA","mimeType":"image/png"}"#, "[image, image/png, 3 bytes]"),
            (r#"{"type":"audio","data":"AAA=","mimeType":"audio/wav"}"#, "[audio, audio/wav, 2 bytes]"),
            (r#"{"type":"image","data":"*"}"#, "[image, 1 characters that are no base64]"),
            (r#"{"type":"resource_link","uri":"file:///x"}"#, "[resource_link, file:///x]"),
            (r#"{"type":"resource","resource":{"uri":"a://b","text":"inside"}}"#, "inside"),
            (r#"{"uri":"a://b","blob":"AAAA"}"#, "[resource, 3 bytes]"),
            (r#"{"type":"new","x":1}"#, "[new, 20 bytes of JSON]"),
            (r#"{"x":1}"#, "[unknown content, 7 bytes of JSON]"),
        ] {
            assert_eq!(shown(&sink, block), expected);
        }
    }

    #[test]
    fn binary_content_is_saved_and_never_overwrites() {
        let home = tempfile::tempdir().unwrap();
        let sink = Sink { directory: Some(home.path().join("out")), stem: "../a b".into() };
        let block = r#"{"type":"image","data":"AAEC","mimeType":"image/png"}"#;
        let first = shown(&sink, block);
        let second = shown(&sink, block);
        let path = |number: u32| home.path().join("out").join(format!("_a_b-{number}.png"));
        assert_eq!(first, format!("[image, image/png, 3 bytes, saved to {}]", path(1).display()));
        assert!(second.contains(&*path(2).to_string_lossy()), "{second}");
        assert_eq!(std::fs::read(path(1)).unwrap(), [0, 1, 2]);
    }
}
