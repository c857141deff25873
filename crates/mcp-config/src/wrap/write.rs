//! What is written when an entry of a host is put through this program, and in which order.
//!
//! First what stood there is kept, then the host's file is changed; back, the file first. So at no moment is something in a
//! host's file of which this program does not know how it was.

use mcp_files::{Links, Policy};

use super::{BridgeCommand, HostTarget, WrapError, WrapRecord, WrappedEntry};
use crate::edit::Value;
use crate::editor::{Editor, EntryPlace, FileEdit};
use crate::{ConfigError, ConfigErrorKind};

/// The longest file of a host that is read back.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Why a host's file was not changed.
#[derive(Debug)]
#[non_exhaustive]
pub enum WrapFailure {
    /// A file cannot be read or written.
    File(ConfigError),
    /// The entry cannot be put there or taken out.
    Refused(WrapError),
}

impl From<ConfigError> for WrapFailure {
    fn from(error: ConfigError) -> Self {
        Self::File(error)
    }
}

impl From<WrapError> for WrapFailure {
    fn from(error: WrapError) -> Self {
        Self::Refused(error)
    }
}

impl Editor {
    /// What is kept of the files of hosts.
    ///
    /// # Errors
    ///
    /// The record cannot be read.
    pub fn wrap_record(&self) -> Result<WrapRecord, ConfigError> {
        let place = WrapRecord::place(self.state_dir());
        let read = self.dry_run::<ConfigError>(&place, |text| Ok(text.to_owned()))?;
        record_in(&place, read.before())
    }

    /// Puts the entry `name` through this program. `moved` is its server, where that was put into our own file for it.
    ///
    /// # Errors
    ///
    /// See [`WrapFailure`]. Nothing is changed then.
    pub fn wrap(
        &self,
        target: &HostTarget,
        name: &str,
        through: &BridgeCommand,
        moved: Option<&Value>,
    ) -> Result<FileEdit, WrapFailure> {
        let file = &target.place.file;
        self.edit::<WrapFailure>(&target.place, |text| {
            let wrapped = target.wrapped(text, name, through)?;
            if wrapped.text == text {
                return Ok(wrapped.text);
            }
            let is_absent = text.is_empty() && !file.exists();
            if self.wrap_record()?.is_first(file) && !is_absent {
                self.back_up(target, text)?;
            }
            let kept = WrappedEntry::new(wrapped.original, through.clone(), moved);
            self.record(|record| {
                record.keep(target.host.name, &target.place, name, &kept, (text, &wrapped.text), is_absent);
            })?;
            Ok(wrapped.text)
        })
    }

    /// Puts back what stood in the place of the entry `name`; the whole file becomes what it was where it was not edited
    /// since and no other entry of it leads through this program. One that was not there goes.
    ///
    /// # Errors
    ///
    /// See [`WrapFailure`]. Nothing is changed then.
    pub fn unwrap(&self, target: &HostTarget, name: &str) -> Result<FileEdit, WrapFailure> {
        let is_made_here = self.wrap_record()?.was_absent(&target.place.file);
        let gone = match is_made_here {
            true => self.remove::<WrapFailure>(&target.place, |text| {
                Ok(!text.is_empty() && self.unwrapped(target, name, text)?.is_empty())
            })?,
            false => None,
        };
        let edited = match gone {
            Some(before) => FileEdit::removed(target.place.file.clone(), before),
            None => self.edit::<WrapFailure>(&target.place, |text| self.unwrapped(target, name, text))?,
        };
        self.record(|record| record.forget(&target.place, name, (edited.before(), edited.after())))?;
        Ok(edited)
    }

    /// What [`unwrap`](Self::unwrap) makes of `text`: itself, where the entry was taken out of it meanwhile, and nothing where there
    /// was not a file. Only reads.
    ///
    /// # Errors
    ///
    /// As of [`unwrap`](Self::unwrap).
    pub fn unwrapped(&self, target: &HostTarget, name: &str, text: &str) -> Result<String, WrapFailure> {
        let file = &target.place.file;
        let record = self.wrap_record()?;
        let kept = record.kept(&target.place, name).ok_or(WrapError::Changed)?;
        if let Some(now) = target.renamed(text, name, &kept.through) {
            return Err(WrapError::Renamed(now).into());
        }
        let after = match target.unwrapped(text, name, &kept.through, kept.original.as_deref()) {
            // Who was killed before the host's file was changed has nothing to put back. Who took the entry out of it wants it
            // gone.
            Err(WrapError::Changed)
                if target.has(text, name, kept.original.as_deref()) || target.has(text, name, None) =>
            {
                return Ok(text.to_owned());
            }
            after => after?,
        };
        let is_last = record.is_only(target.host.name, &target.place, name);
        if is_last && record.is_untouched(file, text) {
            if record.was_absent(file) {
                return Ok(String::new());
            }
            let backup = WrapRecord::backup(self.state_dir(), file);
            let whole = mcp_files::read(&backup, &Policy::surroundings(MAX_BYTES).owned()).ok();
            let whole = whole.and_then(|whole| String::from_utf8(whole).ok());
            // A record of an older version does not tell an empty file from none, and no host can read an empty one.
            if let Some(whole) = whole.filter(|whole| !whole.is_empty() || record.was_there(file)) {
                return Ok(whole);
            }
        }
        Ok(after)
    }

    /// Keeps the file as it is, beside the record: mode 0600, because hosts have secrets in it.
    fn back_up(&self, target: &HostTarget, text: &str) -> Result<(), ConfigError> {
        let backup = WrapRecord::backup(self.state_dir(), &target.place.file);
        let failed = |error| ConfigError::io(ConfigErrorKind::Write, &backup, error);
        if let Some(folder) = backup.parent() {
            mcp_files::private_dir(folder, Links::Follow).map_err(failed)?;
        }
        mcp_files::replace(&backup, text.as_bytes()).map_err(failed)
    }

    fn record(&self, change: impl Fn(&mut WrapRecord)) -> Result<(), ConfigError> {
        let place: EntryPlace = WrapRecord::place(self.state_dir());
        self.edit::<ConfigError>(&place, |text| {
            let mut record = record_in(&place, text)?;
            change(&mut record);
            Ok(record.to_text())
        })?;
        Ok(())
    }
}

/// The record that `text` is. One that cannot be read is not one of nothing: what it keeps would be lost with the next entry.
fn record_in(place: &EntryPlace, text: &str) -> Result<WrapRecord, ConfigError> {
    if text.trim().is_empty() {
        return Ok(WrapRecord::parse(""));
    }
    let value = Value::parse(text).map_err(|error| place.refused(error))?;
    Ok(WrapRecord::parse(&value.to_json()))
}
