// SPDX-License-Identifier: Apache-2.0
import Glibc

extension PluginsFolder {
    /// Whom the folder belongs to, for work that root does in it: `sudo grafana-cli` must not lock the server's own user out.
    struct Owner {
        private let user: uid_t
        private let group: gid_t

        /// Nil unless this is root in somebody else's folder.
        init?(of folder: PluginsFolder) {
            var status = stat()
            guard geteuid() == 0, stat(folder.path, &status) == 0, status.st_uid != 0 else { return nil }
            user = status.st_uid
            group = status.st_gid
        }

        /// Gives a file, or a folder with everything in it, to the owner; nothing there is fine.
        func adopt(_ path: String) throws {
            guard let kind = FileTree.kind(of: path) else { return }
            let below = kind == .folder ? try FileTree.entries(of: path).map { "\(path)/\($0.path)" } : []
            for place in [path] + below where lchown(place, user, group) != 0 && errno != ENOENT {
                throw CatalogError.system("give to the folder's owner", place, errno)
            }
        }
    }
}
