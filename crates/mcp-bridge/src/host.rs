//! The host's side: what is written to it, and the questions that it was asked.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_transport::RpcError;
use mcp_transport::message::{
    INTERNAL_ERROR, RequestId, encode_notification, encode_request, encode_response, one_line,
};
use serde_json::value::RawValue;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};

/// What may wait for a host that does not read. Beyond it notifications are left out: they may be, and answers
/// may not.
const MAX_QUEUED_BYTES: usize = 16 << 20;
/// Short messages that wait are written together, up to this many bytes at once.
const MAX_BATCH_BYTES: usize = 64 << 10;

/// What the host answered to a question.
pub(crate) type HostAnswer = Result<Box<RawValue>, RpcError>;

enum Written {
    Frame(Vec<u8>),
    /// Everything before it has been written when it is answered.
    Mark(oneshot::Sender<()>),
}

/// The host, as the bridge speaks to it.
#[derive(Debug)]
pub(crate) struct Host {
    outbox: mpsc::UnboundedSender<Written>,
    queued: Arc<AtomicUsize>,
    questions: Mutex<Questions>,
}

#[derive(Debug, Default)]
struct Questions {
    last: i64,
    waiting: HashMap<i64, oneshot::Sender<HostAnswer>>,
}

/// What a host's stream is written with.
#[derive(Debug)]
pub(crate) struct Writer {
    inbox: mpsc::UnboundedReceiver<Written>,
    queued: Arc<AtomicUsize>,
}

impl Host {
    /// A host, and the writer that must run for it.
    pub(crate) fn new() -> (Self, Writer) {
        let (outbox, inbox) = mpsc::unbounded_channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let host = Self { outbox, queued: queued.clone(), questions: Mutex::default() };
        (host, Writer { inbox, queued })
    }

    /// Sends an answer.
    pub(crate) fn respond(&self, id: &RequestId, outcome: Result<&RawValue, &RpcError>) {
        self.send(encode_response(id, outcome));
    }

    /// Sends a frame that is encoded already.
    pub(crate) fn send(&self, frame: Vec<u8>) {
        self.queued.fetch_add(frame.len(), Ordering::Relaxed);
        // Fails only where the host is gone, and then nobody wants it.
        drop(self.outbox.send(Written::Frame(frame)));
    }

    /// Sends a notification, unless the host lags far behind.
    pub(crate) fn notify(&self, method: &str, params: Option<&RawValue>) {
        if self.queued.load(Ordering::Relaxed) > MAX_QUEUED_BYTES {
            tracing::warn!(method, "the host does not read; a notification is left out");
            return;
        }
        self.send(encode_notification(method, params));
    }

    /// Returns when everything so far has been written, or the host is gone.
    pub(crate) async fn flush(&self) {
        let (mark, written) = oneshot::channel();
        if self.outbox.send(Written::Mark(mark)).is_ok() {
            let _ = written.await;
        }
    }

    /// Asks the host. Dropping the future tells it that nobody waits any more.
    pub(crate) async fn ask(&self, method: &str, params: Option<&RawValue>) -> HostAnswer {
        let (sender, answer) = oneshot::channel();
        let id = {
            let mut questions = self.questions();
            questions.last += 1;
            let id = questions.last;
            questions.waiting.insert(id, sender);
            id
        };
        let asked = Asked { host: self, id };
        self.send(encode_request(&RequestId::Number(id), method, params));
        let answer = answer.await.unwrap_or_else(|_| Err(RpcError::new(INTERNAL_ERROR, "the host is gone")));
        drop(asked);
        answer
    }

    /// Takes in the host's answer to a question.
    pub(crate) fn answered(&self, id: Option<&RequestId>, answer: HostAnswer) {
        let waiting = id.and_then(RequestId::as_assigned).and_then(|id| self.questions().waiting.remove(&id));
        match waiting {
            // Whoever asked may be gone by now.
            Some(waiting) => drop(waiting.send(answer)),
            None => tracing::debug!(?id, "the host answered what nobody asked"),
        }
    }

    fn questions(&self) -> MutexGuard<'_, Questions> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question under way.
struct Asked<'a> {
    host: &'a Host,
    id: i64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if self.host.questions().waiting.remove(&self.id).is_some() {
            let params = format!(r#"{{"requestId":{},"reason":"the server gave the request up"}}"#, self.id);
            let params = RawValue::from_string(params).unwrap_or_default();
            self.host.send(encode_notification("notifications/cancelled", Some(&params)));
        }
    }
}

impl Writer {
    /// Writes until the host is gone; returns then.
    pub(crate) async fn run(mut self, mut stream: impl AsyncWrite + Unpin) {
        let mut batch = Vec::new();
        while let Some(mut next) = self.inbox.recv().await {
            let mut marks = Vec::new();
            // What is waiting goes out in one write: a burst of notifications costs one system call.
            loop {
                match next {
                    Written::Mark(mark) => marks.push(mark),
                    Written::Frame(frame) => {
                        self.queued.fetch_sub(frame.len(), Ordering::Relaxed);
                        let mut frame = one_line(frame);
                        frame.push(b'\n');
                        if batch.is_empty() {
                            batch = frame;
                        } else {
                            batch.extend_from_slice(&frame);
                        }
                    }
                }
                if batch.len() >= MAX_BATCH_BYTES {
                    break;
                }
                match self.inbox.try_recv() {
                    Ok(more) => next = more,
                    Err(_) => break,
                }
            }
            let written = async {
                stream.write_all(&batch).await?;
                stream.flush().await
            };
            if let Err(error) = written.await {
                tracing::debug!(%error, "the host is gone");
                return;
            }
            batch.clear();
            if batch.capacity() > MAX_BATCH_BYTES {
                batch = Vec::new();
            }
            for mark in marks {
                // Whoever waited for it may be gone by now.
                let _ = mark.send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncBufReadExt, BufReader};

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    async fn lines(stream: impl tokio::io::AsyncRead + Unpin, count: usize) -> Vec<String> {
        let mut lines = BufReader::new(stream).lines();
        let mut seen = Vec::new();
        while seen.len() < count {
            seen.push(lines.next_line().await.unwrap().unwrap());
        }
        seen
    }

    #[tokio::test]
    async fn each_message_is_one_line_and_payloads_stay_as_they_are() {
        let (host, writer) = Host::new();
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        tokio::spawn(writer.run(ours));
        host.respond(&RequestId::String("a".into()), Ok(&raw("{\n \"n\": 1.0 }")));
        host.notify("x", None);
        host.flush().await;
        assert_eq!(
            lines(theirs, 2).await,
            [r#"{"jsonrpc":"2.0","id":"a","result":{  "n": 1.0 }}"#, r#"{"jsonrpc":"2.0","method":"x"}"#,]
        );
    }

    #[tokio::test]
    async fn an_answer_finds_its_question_and_a_question_given_up_is_cancelled() {
        let (host, writer) = Host::new();
        let host = Arc::new(host);
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        tokio::spawn(writer.run(ours));
        let asking = tokio::spawn({
            let host = host.clone();
            async move { host.ask("roots/list", None).await }
        });
        let mut theirs = BufReader::new(theirs).lines();
        let asked = theirs.next_line().await.unwrap().unwrap();
        assert_eq!(asked, r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#);
        host.answered(Some(&RequestId::Number(1)), Ok(raw("[]")));
        assert_eq!(asking.await.unwrap().unwrap().get(), "[]");

        let asking = tokio::spawn({
            let host = host.clone();
            async move { host.ask("ping", None).await }
        });
        theirs.next_line().await.unwrap().unwrap();
        asking.abort();
        let cancelled = theirs.next_line().await.unwrap().unwrap();
        assert!(cancelled.contains("notifications/cancelled") && cancelled.contains("\"requestId\":2"));
    }

    #[tokio::test]
    async fn a_host_that_does_not_read_misses_notifications_and_no_answer() {
        let (host, mut writer) = Host::new();
        host.send(vec![b'x'; MAX_QUEUED_BYTES + 1]);
        host.notify("left/out", None);
        host.respond(&RequestId::Number(1), Ok(&raw("1")));
        let mut seen = Vec::new();
        while let Ok(Written::Frame(frame)) = writer.inbox.try_recv() {
            seen.push(frame.len());
        }
        assert_eq!(seen.len(), 2);
    }
}
