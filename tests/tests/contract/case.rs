//! One question to the local interface, in a line or two.

/// Which agent is asked.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Side {
    /// The provider's, which sends.
    Ramq,
    /// The consumer's, which receives.
    Saaq,
}

/// A question, and the status that answers it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) operation: &'static str,
    pub(crate) status: u16,
    pub(crate) side: Side,
    pub(crate) token: &'static str,
    pub(crate) path: Vec<(&'static str, &'static str)>,
    pub(crate) query: &'static str,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) body: String,
    /// Name and JSON Pointer of what later cases need, as `{name}`.
    pub(crate) keep: Vec<(&'static str, &'static str)>,
    /// How often it is asked again until that is there.
    pub(crate) tries: usize,
}

/// The operation of this id gives this status; asked of the RAMQ's agent by the system that may do everything.
pub(crate) fn case(operation: &'static str, status: u16) -> Case {
    Case {
        operation,
        status,
        side: Side::Ramq,
        token: "guichet.jeton",
        path: Vec::new(),
        query: "",
        headers: Vec::new(),
        body: String::new(),
        keep: Vec::new(),
        tries: 0,
    }
}

impl Case {
    /// Asked of the SAAQ's agent.
    pub(crate) fn at_saaq(mut self) -> Self {
        self.side = Side::Saaq;
        self
    }

    /// Asked by whoever has this token.
    pub(crate) fn by(mut self, token: &'static str) -> Self {
        self.token = token;
        self
    }

    /// Fills in a part of the path.
    pub(crate) fn path(mut self, name: &'static str, value: &'static str) -> Self {
        self.path.push((name, value));
        self
    }

    /// The query string.
    pub(crate) fn query(mut self, query: &'static str) -> Self {
        self.query = query;
        self
    }

    /// A header.
    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The body.
    pub(crate) fn body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    /// Keeps a value of the answer for later cases.
    pub(crate) fn keep(mut self, name: &'static str, pointer: &'static str) -> Self {
        self.keep.push((name, pointer));
        self
    }

    /// Asks again, so often, until what is to be kept is there.
    pub(crate) fn tries(mut self, tries: usize) -> Self {
        self.tries = tries;
        self
    }
}
