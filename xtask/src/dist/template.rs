//! The texts of `packaging/` with what is known of a release filled in.

use super::{Release, files, packaging};
use crate::Problems;

/// A file of `packaging/` in which every `@NAME@` is replaced; one that is left open is an error.
pub(super) fn fill(release: &Release, file: &str, more: &[(&str, &str)]) -> Result<String, Problems> {
    let text = files::read(&packaging(file))?;
    let known = [
        ("VERSION", release.version.as_str()),
        ("DESCRIPTION", &release.description),
        ("LICENSE", &release.license),
        ("REPOSITORY", &release.repository),
        ("AUTHORS", &release.authors),
    ];
    let known = known.iter().chain(more).copied().collect::<Vec<_>>();
    fill_in(&text, &known).map_err(|open| vec![format!("packaging/{file}: nothing fills in @{open}@")])
}

/// The error is the name that nothing is known for.
fn fill_in(text: &str, known: &[(&str, &str)]) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('@') {
        filled += before;
        let name: String =
            after.chars().take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == '_').collect();
        match after[name.len()..].strip_prefix('@') {
            Some(behind) if !name.is_empty() => {
                let value = known.iter().find(|(known, _)| *known == name).ok_or(name)?.1;
                filled += value;
                rest = behind;
            }
            // An `@` that is not one of ours, as in an address or the scope of an npm package.
            _ => {
                filled.push('@');
                rest = after;
            }
        }
    }
    Ok(filled + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_filled_in_and_an_open_one_is_an_error() {
        let known = [("VERSION", "1.2.3"), ("A_B", "@VERSION@")];
        assert_eq!(
            fill_in("v@VERSION@ <a@b.c> @x/y @A_B@", &known).unwrap(),
            "v1.2.3 <a@b.c> @x/y @VERSION@"
        );
        assert_eq!(fill_in("@NEW@", &known), Err("NEW".to_owned()));
        assert_eq!(fill_in("@", &known).unwrap(), "@");
    }
}
