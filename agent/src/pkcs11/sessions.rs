//! The sessions with a token: a few, shared by all who sign, made anew when the token was away.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::object::ObjectHandle;
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use passerelle_pki::files;
use passerelle_pki::key::KeyId;
use zeroize::Zeroizing;

use super::{Pkcs11Error, Pkcs11Settings};

/// Sessions at a time: tokens have few, and each signs one message at a time.
const SESSIONS_MAX: usize = 4;
/// How long a signature waits for a session.
const PATIENCE: Duration = Duration::from_secs(20);
/// Bytes that the file of the PIN may have.
const PIN_LIMIT: u64 = 1_024;

/// One session, logged in, with the keys that it has found.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) session: Session,
    pub(super) keys: HashMap<KeyId, ObjectHandle>,
}

#[derive(Debug, Default)]
struct Pool {
    idle: Vec<Seat>,
    /// Sessions that exist, idle or not.
    count: usize,
}

/// Readies the module for this process.
pub(super) fn initialise(context: &Pkcs11) -> Result<(), Error> {
    match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        // Another part of this process has: the module is the process's.
        Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        done => done,
    }
}

#[derive(Debug)]
pub(super) struct Sessions {
    context: Pkcs11,
    token: String,
    pin_file: PathBuf,
    pool: Mutex<Pool>,
    freed: Condvar,
    /// The PIN that the token refused. Held while logging in, so that a wrong one is shown once.
    refused: Mutex<Option<Zeroizing<String>>>,
}

impl Sessions {
    pub(super) fn new(context: Pkcs11, settings: &Pkcs11Settings) -> Self {
        Self {
            context,
            token: settings.token.clone(),
            pin_file: settings.pin_file.clone(),
            pool: Mutex::default(),
            freed: Condvar::new(),
            refused: Mutex::default(),
        }
    }

    /// Works in a session; once more in a new one when the token had been away.
    pub(super) fn with<T>(
        &self,
        work: impl Fn(&mut Seat) -> Result<T, Pkcs11Error>,
    ) -> Result<T, Pkcs11Error> {
        let first = self.once(&work);
        match first {
            Err(error) if error.may_pass() => {
                tracing::warn!(%error, "the token is asked again in a new session");
                self.begin_anew()?;
                self.once(&work)
            }
            done => done,
        }
    }

    fn once<T>(&self, work: impl Fn(&mut Seat) -> Result<T, Pkcs11Error>) -> Result<T, Pkcs11Error> {
        let mut seat = self.seat()?;
        let done = work(&mut seat);
        match &done {
            Ok(_) => self.pool().idle.push(seat),
            // A session in doubt is closed.
            Err(_) => {
                drop(seat);
                self.pool().count -= 1;
            }
        }
        self.freed.notify_one();
        done
    }

    fn seat(&self) -> Result<Seat, Pkcs11Error> {
        let until = Instant::now() + PATIENCE;
        let mut pool = self.pool();
        loop {
            if let Some(seat) = pool.idle.pop() {
                return Ok(seat);
            }
            if pool.count < SESSIONS_MAX {
                pool.count += 1;
                break;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Pkcs11Error::Busy);
            }
            let waited = self.freed.wait_timeout(pool, left).unwrap_or_else(PoisonError::into_inner);
            pool = waited.0;
        }
        drop(pool);
        self.open().inspect_err(|_| {
            self.pool().count -= 1;
            self.freed.notify_one();
        })
    }

    fn open(&self) -> Result<Seat, Pkcs11Error> {
        let session = self.context.open_rw_session(self.slot()?).map_err(Pkcs11Error::Failed)?;
        self.log_in(&session)?;
        Ok(Seat { session, keys: HashMap::new() })
    }

    /// Where the token is now.
    fn slot(&self) -> Result<Slot, Pkcs11Error> {
        let (mut right, mut labels) = (Vec::new(), Vec::new());
        for slot in self.context.get_slots_with_initialized_token().map_err(Pkcs11Error::Failed)? {
            // One that was pulled between the two questions is none.
            let Ok(token) = self.context.get_token_info(slot) else { continue };
            let label = token.label().trim_end().to_owned();
            if label == self.token {
                right.push(slot);
            }
            labels.push(label);
        }
        match right[..] {
            [slot] => Ok(slot),
            [] => Err(Pkcs11Error::Absent { token: self.token.clone(), found: labels.join(", ") }),
            _ => Err(Pkcs11Error::Ambiguous(self.token.clone())),
        }
    }

    fn log_in(&self, session: &Session) -> Result<(), Pkcs11Error> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let pin = self.pin()?;
        if refused.as_ref().is_some_and(|refused| **refused == *pin) {
            let why = "le même que la dernière fois / the same as last time".to_owned();
            return Err(Pkcs11Error::PinRefused { token: self.token.clone(), why });
        }
        match session.login(UserType::User, Some(&AuthPin::new(pin.as_str().into()))) {
            // A login is the whole process's.
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {
                *refused = None;
                Ok(())
            }
            Err(error) => {
                let error = Pkcs11Error::login(error, &self.token);
                if matches!(error, Pkcs11Error::PinRefused { .. }) {
                    *refused = Some(pin);
                }
                Err(error)
            }
        }
    }

    /// The first line of the file, which nobody else may read.
    fn pin(&self) -> Result<Zeroizing<String>, Pkcs11Error> {
        let path = &self.pin_file;
        let fault = |source| Pkcs11Error::PinFile { path: path.clone(), source };
        if fs::metadata(path).map_err(fault)?.permissions().mode() & 0o077 != 0 {
            return Err(Pkcs11Error::PinReadable { path: path.display().to_string() });
        }
        let bytes = Zeroizing::new(files::read_limited(path, PIN_LIMIT).map_err(fault)?);
        let text = String::from_utf8_lossy(&bytes);
        Ok(Zeroizing::new(text.lines().next().unwrap_or_default().trim().to_owned()))
    }

    /// Closes what is idle; and when nobody is in a session, has the module begin anew: many never see again a token that was
    /// away. Whoever is in one fails too, and the last to do so comes here.
    fn begin_anew(&self) -> Result<(), Pkcs11Error> {
        let mut pool = self.pool();
        pool.count -= pool.idle.len();
        pool.idle.clear();
        if pool.count == 0 {
            if let Err(error) = self.context.clone().finalize() {
                tracing::debug!(%error, "the module was not in use");
            }
            initialise(&self.context).map_err(Pkcs11Error::Failed)?;
        }
        self.freed.notify_all();
        Ok(())
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
