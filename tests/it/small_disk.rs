//! A file system of a few megabytes, in a mount namespace of its own: it ends when this is dropped.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A small file system.
pub(crate) struct SmallDisk {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    mounted: PathBuf,
}

/// Whether this process is root's.
pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

impl SmallDisk {
    /// A disk of `size`, as mount(8) takes it, on `folder`. Who is not root needs user namespaces.
    pub(crate) fn new(folder: &Path, size: &str) -> Self {
        let mut command = Command::new("unshare");
        command.arg("--mount").args((!is_root()).then_some("--map-root-user")).arg("sh");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        std::fs::create_dir_all(folder).unwrap();
        let mut disk = Self { child, input, output, mounted: folder.to_owned() };
        disk.mount(&format!("-t tmpfs -o size={size} tmpfs"));
        disk
    }

    /// From now on nothing can be written.
    pub(crate) fn make_read_only(&mut self) {
        self.mount("-o remount,ro");
    }

    fn mount(&mut self, arguments: &str) {
        writeln!(self.input, "mount {arguments} '{}' && echo done || echo failed", self.mounted.display()).unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert_eq!(line, "done\n", "mount {arguments}");
    }

    /// Where this process sees it. Programs that resolve links do not.
    fn path(&self) -> PathBuf {
        let mounted = self.mounted.strip_prefix("/").unwrap();
        Path::new("/proc").join(self.child.id().to_string()).join("root").join(mounted)
    }

    /// The command, where the disk is mounted.
    pub(crate) fn inside(&self, command: &Command, folder: &Path) -> Command {
        let mut outer = Command::new("nsenter");
        outer.args(["--target", &self.child.id().to_string(), "--mount"]);
        if !is_root() {
            outer.args(["--user", "--preserve-credentials"]);
        }
        outer.args(["--", "sh", "-c", "cd \"$0\" && exec \"$@\""]).arg(folder);
        outer.arg(command.get_program()).args(command.get_args());
        outer.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        outer.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
        outer
    }

    /// Copies a folder of the disk to where it is mounted, so that it is found there from outside too.
    pub(crate) fn copy_out(&self, name: &str) {
        // The place itself must stay: a mount ends when it goes.
        let _ = std::fs::remove_dir_all(self.mounted.join(name));
        let copied = Command::new("cp").arg("-r").arg(self.path().join(name)).arg(&self.mounted).status();
        assert!(copied.unwrap().success());
    }

    /// Leaves only so many bytes free; gives the file that takes the others.
    pub(crate) fn fill(&self, free: usize) -> PathBuf {
        let ballast = self.path().join("ballast");
        let mut file = std::fs::File::create(&ballast).unwrap();
        let mut size: u64 = 0;
        while let Ok(written @ 1..) = file.write(&[b'x'; 4096]) {
            size += u64::try_from(written).unwrap();
        }
        file.set_len(size.saturating_sub(u64::try_from(free).unwrap())).unwrap();
        ballast
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
