//! Calling another agency's service.

use tokio::io::AsyncRead;

use super::Agent;
use crate::calls::{Answer, CallError, CallRequest};

impl Agent {
    /// Makes a call, whose request's content is `body`. Dropping the future, or the answer's content, cancels it.
    ///
    /// # Errors
    /// [`CallError`]; nothing of an answer is shown then.
    pub async fn call(
        &self,
        request: CallRequest,
        body: impl AsyncRead + Send + Unpin + 'static,
    ) -> Result<Answer, CallError> {
        let deadline = request.deadline.unwrap_or(self.0.call_settings.deadline);
        self.0.calls.call(request, body, deadline).await
    }
}
