//! Fakes for tests, benches and the demo.

mod accept;
mod auth;
mod browser;
mod canary;
mod helper;
mod home;
mod mcp;
mod process;
mod proxy;
mod real;
mod run;
mod sync;
mod wire;

pub use accept::{Accept, Refusal, TokenFacts, TokenLedger};
pub use auth::{AuthSettings, Echo, Endpoint, FakeAuthServer, MetadataAt, ProtectedResource};
pub use browser::{FakeBrowser, Visit, visit};
pub use canary::Canaries;
pub use helper::{FakeHelper, HelperRun, fake_jwt};
pub use home::{Changes, Snapshot, TempHome};
pub use mcp::{
    Answer, Delivery, Era, FakeMcpServer, FakeMcpServerBuilder, GetStream, HttpAnswer, Pages, Sse, SseEnd,
    Tool,
};
pub use process::process_is_alive;
pub use proxy::{Fault, FlakyProxy};
pub use real::{Missing, RealServer, RunningServer, real_or_skip};
pub use run::{Mcplink, Output, Running};
pub use wire::{RecordedRequest, Recorder};
