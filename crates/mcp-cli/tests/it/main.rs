//! The program, end to end: the binary in a home of its own, against servers on real sockets.
//!
//! Every run is watched by the harness ([`mcp_harness::Mcplink`]): a secret of the home in the output or in a file that
//! appeared, a process that outlived the command, or a command that takes too long fails the test, whatever it is about.
//!
//! | module | tells |
//! |---|---|
//! | `sessions` | live sessions, seen, reached and ended from anywhere |
//! | `session` | the main story, by the public API as an embedding program would wire it |
//! | `helper`, `headers` | credentials from a command, and from the file |
//! | `status`, `retries` | what a status says, and how often a server was asked for it |
//! | `documents`, `failures` | JSON, exit codes, the wording of errors |
//! | `evidence` | what a refusal says, and the step that follows it |
//! | `reasons` | every reason, and where its step leads |
//! | `gallery` | broken set-ups, the one cause that `doctor` names, and the command that mends it |
//! | `signature` | what a tool takes |
//! | `sight` | which headers a server would get, and a helper that runs in sight |
//! | `support` | what is given to another person |
//! | `completion` | names at the cursor of bash, zsh and fish |
//! | `accounts` | the sign-ins that are kept |
//! | `adding`, `switches` | what is added, removed, switched on and off, and in which file |
//! | `files` | files that are broken, or another host's |
//! | `borrowed`, `importing`, `wrapping` | the files of other hosts, read in place, taken over, and led through this program |
//! | `variables` | which variables of their files are replaced, and which are missing |
//! | `bundles` | a remote server as a file that a host installs |
//! | `foreign_hosts` | the command lines of other hosts, which list and call a wrapped server |
//! | `pinning` | tools that are used only as long as they are what a person approved |
//! | `tool_policy` | which tools may be used, and where that is written |
//! | `usage`, `complete`, `offline` | commands that use a server, and those that only read files |
//! | `trust` | what a folder may do before and after it is trusted |
//! | `consent`, `decisions` | what a decision shows, that it is about content, and how a person makes it |
//! | `latches` | that a bridge hears at once of what a person decided, edited or signed in to |
//! | `people` | decisions about several names, and waiting for what only a person can bring about |
//! | `reports` | reports of the field that were right when they were tried |
//! | `bridge` | a server for a host, on standard streams |
//! | `loops` | that no entry starts itself: pointers |
//! | `chains` | that every other loop ends at its first repetition |
//! | `large` | results of many megabytes, and the memory that they take |
//! | `limits` | deadlines, output that cannot be written, what a program finds on stderr |
//! | `local`, `signals` | child processes and interruption |
//! | `doors` | sign-ins, children and broken stores under attack |
//! | `leaks`, `secrets`, `grid` | secrets everywhere, in every spelling, through every command |
//! | `plugins` | programs of others that get credentials |
//! | `referring` | secrets by reference in every field, and how they are kept |
//! | `signed`, `repeating` | the secrets of a sign-in, at each step that can fail |
//! | `left` | what others on the machine can see of this program, and what it leaves behind |
//! | `watch` | connections that are held while a person watches or waits |
//! | `pages` | what the pages of `docs/` show, run |
//! | `real`, `demo` | servers that others wrote; the demo |

#![expect(
    clippy::unwrap_used,
    reason = "a failure here is a failed test; clippy only knows functions marked as such"
)]

mod accounts;
mod adding;
mod aws;
mod borrowed;
mod bridge;
mod broken;
mod bundles;
#[cfg(unix)]
mod canaries;
mod chains;
mod complete;
#[cfg(unix)]
mod completion;
mod consent;
mod decisions;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod documents;
mod doors;
mod evidence;
mod exits;
mod failures;
mod files;
mod foreign_hosts;
#[cfg(unix)]
mod gallery;
mod grid;
mod guards;
mod headers;
mod helper;
mod importing;
mod large;
mod latches;
mod leaks;
mod left;
mod limits;
mod local;
#[cfg(unix)]
mod looks;
mod loops;
#[cfg(all(unix, feature = "menu"))]
mod menu;
mod offline;
mod only_here;
#[cfg(unix)]
mod pages;
mod people;
mod pinning;
mod places;
#[cfg(unix)]
mod plugins;
mod processes;
mod proxies;
mod real;
mod reasons;
#[cfg(unix)]
mod referring;
mod registry;
mod repeating;
mod reports;
mod retries;
mod screens;
mod secrets;
mod session;
mod sessions;
mod setting;
mod shown;
mod sight;
mod signals;
mod signature;
mod signed;
mod status;
#[cfg(unix)]
mod stores;
mod support;
#[cfg(unix)]
mod switches;
#[path = "../../../mcp-transport/tests/it/tls_front.rs"]
mod tls_front;
mod tool_policy;
mod trust;
mod unattended;
mod urls;
mod usage;
mod variables;
mod watch;
mod ways;
#[cfg(all(unix, feature = "menu"))]
mod web;
mod wrapping;
