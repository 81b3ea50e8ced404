//! Asking again, while a session lives, whether its principal still may.

use std::{fmt, future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use tokio::time::{sleep, timeout};

use crate::{
    handler::Prepared,
    message::{CloseCode, CloseFrame, Error, ErrorKind, Phase, Result},
    policy::LONGEST,
    request::Principal,
    session::Sender,
};

/// Verifies the principals of live sessions on an interval.
#[derive(Clone)]
pub(crate) struct Reverify {
    every: Duration,
    verify: Arc<Verify>,
}

type Verify = dyn Fn(Arc<Principal>) -> BoxFuture<'static, Result<Option<Principal>>> + Send + Sync;

impl Reverify {
    pub(crate) fn new<F, Fut>(every: Duration, verify: F) -> Self
    where
        F: Fn(Arc<Principal>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Principal>>> + Send + 'static,
    {
        Self {
            every: every.min(LONGEST),
            verify: Arc::new(move |principal| Box::pin(verify(principal))),
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.every.is_zero() {
            return Err(Error::config(
                "reverify on an interval of 0 would do nothing else; give it a time",
            ));
        }
        Ok(())
    }

    /// Verifies beside a handler, for as long as that runs.
    pub(crate) fn beside(self, principal: Arc<Principal>, prepared: Prepared) -> Prepared {
        Box::new(move |socket| {
            let verifying = self.keep_verifying(principal, socket.sender());
            let handler = prepared(socket);
            Box::pin(async move {
                tokio::select! {
                    biased;
                    ended = handler => ended,
                    () = verifying => std::future::pending().await,
                }
            })
        })
    }

    async fn keep_verifying(self, mut principal: Arc<Principal>, sender: Sender) {
        while !sender.is_closing() {
            sleep(self.every).await;
            match self.verify_once(&principal).await {
                Ok(Some(still)) => {
                    // An expiry that it does not have lifts none.
                    if still.expires_at.is_some() {
                        sender.renew(still.expires_at);
                    }
                    principal = Arc::new(still);
                }
                Ok(None) => {
                    sender.tell_observers(revoked());
                    let frame = CloseFrame::cut(CloseCode::POLICY, "the credential was revoked");
                    return sender.disconnect(frame);
                }
                Err(error) => sender.tell_observers(error.in_phase(Phase::Session)),
            }
        }
    }

    /// What takes as long as the interval has failed.
    async fn verify_once(&self, principal: &Arc<Principal>) -> Result<Option<Principal>> {
        let verified = AssertUnwindSafe(async { (self.verify)(Arc::clone(principal)).await });
        match timeout(self.every, verified.catch_unwind()).await {
            Ok(Ok(verified)) => verified,
            Ok(Err(panic)) => Err(Error::panicked(panic)),
            Err(_) => Err(Error::new(
                ErrorKind::Timeout,
                "WHARF_REVERIFY_TIMEOUT",
                "verifying a principal again took longer than the interval; it is tried again",
            )),
        }
    }
}

impl fmt::Debug for Reverify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reverify")
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}

fn revoked() -> Error {
    Error::new(
        ErrorKind::Unauthorized,
        "WHARF_CREDENTIAL_REVOKED",
        "the credential was revoked while its session lived; connect with a new one",
    )
    .in_phase(Phase::Session)
}
