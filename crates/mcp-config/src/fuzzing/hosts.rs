//! A file of another host: read in place, taken over, wrapped and unwrapped.

use std::path::Path;

use super::{CANARY, hidden, shown_safely, sources};
use crate::editor::EntryPlace;
use crate::hosts::HostPlace;
use crate::hosts::{HostListing, KnownHost};
use crate::import::{CandidateState, ImportPlan};
use crate::source::{Content, FilePurpose, Source};
use crate::wrap::{BridgeCommand, HostTarget};
use crate::{Config, ConfigSource, Env, Platform, Request, Scope, Sources};

/// A file of a host. Whatever is in it: reading never fails, each entry names a line that is there, no value of a variable
/// is shown, what is taken over once is found to be the same afterwards, and a wrapped file is unwrapped byte for byte,
/// with all other entries as they were meanwhile.
///
/// The first line of the input names the host; without a name that is known, its first byte chooses one.
pub fn hosts(bytes: &[u8]) {
    let Ok(input) = std::str::from_utf8(bytes) else { return };
    if input.contains(CANARY) {
        return;
    }
    let (name, text) = input.split_once('\n').unwrap_or((input, ""));
    let all: Vec<_> = KnownHost::all().collect();
    let by_number = || all[usize::from(bytes.first().copied().unwrap_or_default()) % all.len()];
    let host = KnownHost::named(name).unwrap_or_else(by_number);

    let env = ["TOKEN", "HOST", "A"].into_iter().map(|name| (name, CANARY)).collect::<Env>();
    let nothing = sources(&[], &env);
    let request = Request { platform: Platform::Unix, ..Request::new("/project", env) };
    let mut seen = Vec::new();
    for (place, path) in host.places(&request.env, &nothing.project, request.platform) {
        if !seen.contains(&place) {
            seen.push(place);
            one_file(&File { place, path: &path, request: &request, nothing: &nothing }, text);
        }
    }
}

/// Which file it is, and around what.
struct File<'a> {
    place: HostPlace,
    path: &'a Path,
    request: &'a Request,
    nothing: &'a Sources,
}

impl File<'_> {
    fn listing(&self, text: &str) -> Option<HostListing> {
        let content = Content::Text(text.to_owned());
        let source =
            Source::of(FilePurpose::Host(self.place), ConfigSource::File(self.path.to_owned()), content);
        let Sources { project, locations, .. } = self.nothing;
        HostListing::of(self.place, &source, self.request, project, locations)
    }
}

fn one_file(file: &File<'_>, text: &str) {
    let Some(listing) = file.listing(text) else { return };
    hidden(&format!("{listing:?}"));
    shown_safely(listing.unreadable.as_deref().map(std::slice::from_ref).unwrap_or_default());
    let lines = text.matches('\n').count() + 1;
    for server in &listing.servers {
        shown_safely(&server.problems);
        assert!((1..=lines).contains(&server.entry.origin.line), "{}", server.entry.origin);
    }
    taken_over(file, &listing);
    wrapped(file, &listing, text);
}

/// A second import finds all of the first one.
fn taken_over(file: &File<'_>, listing: &HostListing) {
    let listing = std::slice::from_ref(listing);
    let place = EntryPlace::of_file(Scope::Mcplink, "/project/Own.json".into());
    let before = Config::resolve(file.nothing);
    let plan = ImportPlan::new(listing, &before, &place, "").expect("nothing is no broken file");
    let (mut own, mut taken) = (String::new(), Vec::new());
    for candidate in plan.candidates.iter().filter(|candidate| candidate.can_be_taken()) {
        if let Some(text) = candidate.apply(&place, &own).expect("a file that was written here can be edited")
        {
            own = text;
            taken.push(&candidate.name);
        }
    }
    let after = Config::resolve(&sources(&[(FilePurpose::Own, &own)], &file.request.env));
    let again = ImportPlan::new(listing, &after, &place, &own).expect("what was written can be read");
    for name in taken {
        let same = |state: &CandidateState| matches!(state, CandidateState::Same(_));
        let found = again.candidates.iter().any(|found| found.name == *name && same(&found.standing));
        assert!(found, "{name} is taken over again: {own}");
    }
}

/// What is wrapped leads through this program, leaves the others alone, and comes back as its bytes.
fn wrapped(file: &File<'_>, listing: &HostListing, text: &str) {
    let config = Config::resolve(file.nothing);
    let target =
        HostTarget::at(file.place.host, file.path, &config, file.request).expect("a place of this host");
    for server in &listing.servers {
        let name = &server.entry.name;
        let through = BridgeCommand::to(Path::new("/opt/mcplink"), name, None);
        let Ok(edit) = target.wrapped(text, name, &through) else { continue };
        let Ok(back) = target.unwrapped(&edit.text, name, &through, edit.original.as_deref()) else {
            panic!("{name} cannot be unwrapped: {:?}", edit.text);
        };
        assert_eq!(back, text, "unwrapping {name}");
        let meanwhile = file.listing(&edit.text).map(|listing| listing.servers).unwrap_or_default();
        let others = |servers: &[crate::hosts::HostServer]| -> Vec<_> {
            let others = servers.iter().filter(|other| other.entry.name != *name);
            others.map(|other| (other.entry.name.clone(), other.value.clone())).collect()
        };
        assert_eq!(others(&meanwhile), others(&listing.servers), "wrapping {name}");
        assert!(
            meanwhile.iter().all(|other| other.entry.name != *name),
            "{name} is no way through this program"
        );
    }
}
