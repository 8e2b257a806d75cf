// SPDX-License-Identifier: Apache-2.0
import Glibc
import NIOCore
import NIOPosix
import PluginABI
import Server

/// Whether the server can listen, or does already.
struct PortCheck: Sendable {
    let options: ServerOptions

    func finding() async -> Finding {
        switch options.address {
        case .unixSocket(let path, _, _): return Self.socketFinding(path)
        case .tcp(let host, let port): return await portFinding(host.isEmpty ? "0.0.0.0" : host, port)
        }
    }

    private static func socketFinding(_ path: String) -> Finding {
        if FolderCheck.exists(path) {
            return .ok("port", "socket '\(path)' exists; a server that starts takes it over unless another one listens")
        }
        let parent = FolderCheck.existingParent(of: path)
        guard access(parent, W_OK | X_OK) == 0 else {
            return .error(
                "port", "socket '\(path)': '\(parent)' is not writable for this user",
                remedy: "correct [server] socket or the folder's owner")
        }
        return .ok("port", "socket '\(path)' can be made")
    }

    private func portFinding(_ host: String, _ port: Int) async -> Finding {
        do {
            let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(host: host, port: port).get()
            try await channel.close()
            return .ok("port", "\(host):\(port) is free")
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            return await serverFinding(host, port)
        } catch let error as IOError where error.errnoCode == EACCES {
            return .error(
                "port", "\(host):\(port): this user may not listen there",
                remedy:
                    "choose [server] http_port of 1024 or more, or give the program the capability cap_net_bind_service"
            )
        } catch {
            return .error("port", "\(host):\(port): \(error)", remedy: "correct [server] http_addr and http_port")
        }
    }

    /// Asks whoever listens whether it is a Grafana.
    private func serverFinding(_ host: String, _ port: Int) async -> Finding {
        let name = host == "0.0.0.0" ? "127.0.0.1" : host.contains(":") ? "[\(host)]" : host
        guard options.tls == nil else {
            return .warning(
                "port", "\(host):\(port) is taken, and over https it is not asked by whom",
                remedy: "see with ss -ltnp whether it is this server")
        }
        let url = "http://\(name):\(port)\(options.servesFromSubPath ? options.subPath : "")"
        let timeout = TimeAmount(text: "3s", milliseconds: 3000)
        let answer = try? await APIClient.with(url: url, timeout: timeout) { try await $0.get("/api/health") }
        guard let answer, let health = try? JSONValue(parsing: answer.body), let state = health["database"]?.string
        else {
            return .error(
                "port", "\(host):\(port) is taken by another program",
                remedy: "see with ss -ltnp which one, and stop it or choose another [server] http_port")
        }
        let version = health["version"]?.string ?? "unknown version"
        guard answer.status == 200 else {
            return .error(
                "port", "\(host):\(port): the running server (\(version)) says that its database is \(state)",
                remedy: "see the server's log")
        }
        return .ok("port", "\(host):\(port): a server runs there (\(version), database \(state))")
    }
}
