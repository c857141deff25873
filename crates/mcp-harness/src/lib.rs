//! What our own tests are driven with: real servers and providers, hosts, people, terminals and processes. Not published.
//!
//! The fakes that a test of any MCP client can use are in `mcp-testkit`; here is what starts programs, waits for them and fails
//! the test. Of the workspace it imports `mcp-testkit` alone, so that a harness shares no bug with what it drives.

mod asked;
mod databases;
mod documents;
mod host;
mod oidc;
mod page;
mod person;
mod programs;
mod random;
mod real;
mod real_oauth;
mod real_servers;
mod rotation;
mod run;
mod schema;
mod screen;
mod simulation;
mod surface;
mod workers;

pub use asked::asked;
pub use databases::RealDatabase;
pub use documents::{PageLine, Runs, invocations, is_kept, pages, shown_lines};
pub use host::{FakeHost, HostProfile};
pub use mcp_testkit::process::{marked_processes, process_is_alive};
pub use oidc::{CertifiedProvider, Chromium, Consent, EndPage};
pub use page::{PageView, lead_through};
pub use person::Person;
pub use programs::{Model, claude_code, codex, mcpb};
pub use random::Random;
pub use real::{Missing, RealServer, RunningServer, real_or_skip, system_program};
pub use real_servers::REAL_SERVERS;
pub use rotation::{Leeway, RotatingServer};
pub use run::{Mcplink, Output, Running};
pub use schema::against_schema;
pub use screen::Screen;
pub use simulation::{Trace, simulate, simulate_seed, simulate_seeds};
pub use surface::{Ask, Surface};
pub use workers::{Worker, WorkerOrders};
