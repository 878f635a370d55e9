//! A disk of its own for a process, whose power can be cut: an ext4 image on a loop device.
//!
//! What the process wrote and the system had not yet brought to the disk is not in the image: a copy of the image is the
//! disk as it would be found. Needs root, and `mkfs.ext4`, `mount` and `umount`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

/// Bytes of an image; it takes no more room than what is written.
const SIZE: u64 = 2 << 30;

/// A mounted image.
#[derive(Debug)]
pub struct Disk {
    image: PathBuf,
    place: PathBuf,
    mounted: bool,
}

impl Disk {
    /// Makes an image and moves a folder onto it: afterwards the folder is where it was, and on the image.
    ///
    /// # Errors
    /// When it is not permitted, or a command fails.
    pub fn under(folder: &Path, image: &Path) -> anyhow::Result<Self> {
        File::create_new(image)?.set_len(SIZE)?;
        run("mkfs.ext4", [OsStr::new("-q"), OsStr::new("-F"), image.as_os_str()])?;
        let before = folder.with_extension("avant");
        fs::rename(folder, &before)?;
        fs::create_dir(folder)?;
        let mut disk = Self { image: image.to_owned(), place: folder.to_owned(), mounted: false };
        disk.mount()?;
        fs::remove_dir(folder.join("lost+found"))?;
        let content = before.join(".");
        run("cp", [OsStr::new("-a"), content.as_os_str(), folder.as_os_str()])?;
        let mode = fs::metadata(&before)?.permissions();
        fs::set_permissions(folder, mode)?;
        run("sync", [OsStr::new("-f"), folder.as_os_str()])?;
        Ok(disk)
    }

    fn mount(&mut self) -> anyhow::Result<()> {
        run("mount", [OsStr::new("-o"), OsStr::new("loop"), self.image.as_os_str(), self.place.as_os_str()])?;
        self.mounted = true;
        Ok(())
    }

    fn unmount(&mut self) -> anyhow::Result<()> {
        run("umount", [self.place.as_os_str()])?;
        self.mounted = false;
        Ok(())
    }

    /// The disk as it would be found if the power went now. Whoever writes to it must stand still.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn as_found(&self) -> anyhow::Result<PathBuf> {
        let found = self.image.with_extension("trouve");
        run("cp", [OsStr::new("--sparse=always"), self.image.as_os_str(), found.as_os_str()])?;
        Ok(found)
    }

    /// Puts the disk in its place as it was found; what came to it since is gone. Nobody may be using it.
    ///
    /// # Errors
    /// When it cannot be mounted: its journal does not replay.
    pub fn restart(&mut self, found: &Path) -> anyhow::Result<()> {
        self.unmount()?;
        fs::rename(found, &self.image)?;
        self.mount()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            // Whoever still uses it keeps it until it ends.
            drop(run("umount", [OsStr::new("-l"), self.place.as_os_str()]));
        }
    }
}

fn run<const N: usize>(program: &str, arguments: [&OsStr; N]) -> anyhow::Result<()> {
    let output = Command::new(program).args(arguments).output().with_context(|| program.to_owned())?;
    ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
