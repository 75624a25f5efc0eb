//! Whether a path is on a network file system, where `SQLite`'s locks and shared memory are not safe.

use std::path::Path;

const NETWORK: [&str; 14] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "ncpfs",
    "afs",
    "ceph",
    "glusterfs",
    "lustre",
    "9p",
    "fuse.sshfs",
    "fuse.rclone",
    "fuse.glusterfs",
];

/// The network file system that holds `path` (an existing folder), or `None` where it is local or nobody can tell.
pub fn network_filesystem(path: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let absolute = path.canonicalize().ok()?;
    filesystem(&mounts, &absolute).filter(|kind| NETWORK.contains(&kind.as_str()))
}

/// The type of the mount with the longest mount point that leads to `path`; of two on the same point the later counts.
fn filesystem(mounts: &str, path: &Path) -> Option<String> {
    mounts
        .lines()
        .filter_map(|line| {
            let (before, after) = line.split_once(" - ")?;
            let point = unescaped(before.split(' ').nth(4)?);
            let kind = after.split(' ').next()?;
            path.starts_with(&point).then(|| (point.len(), kind.to_owned()))
        })
        .max_by_key(|(length, _)| *length)
        .map(|(_, kind)| kind)
}

fn unescaped(point: &str) -> String {
    point.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 22 0:40 / /srv/shop rw - nfs4 files:/shop rw
31 30 8:2 / /srv/shop/local rw - xfs /dev/sdb1 rw
32 22 0:41 / /srv/my\\040share rw - cifs //files/share rw
";

    #[test]
    fn the_innermost_mount_decides() {
        let kind = |path: &str| filesystem(MOUNTS, Path::new(path)).unwrap();
        assert_eq!(kind("/home/x"), "ext4");
        assert_eq!(kind("/srv/shop/books"), "nfs4");
        assert_eq!(kind("/srv/shop/local/books"), "xfs");
        assert_eq!(kind("/srv/shopping"), "ext4");
        assert_eq!(kind("/srv/my share/books"), "cifs");
    }
}
