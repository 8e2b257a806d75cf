// SPDX-License-Identifier: Apache-2.0
import Foundation

/// ADBC drivers from the Python environment of the tests.
public enum PackagedDriver {
    private static let libraries = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: ".build/test-venv/lib")

    /// The library of a Python package, which `make test` installs.
    public static func path(_ name: String) throws -> String {
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: libraries.path)) ?? []
        let files = versions.map {
            libraries.appending(path: "\($0)/site-packages/adbc_driver_\(name)/libadbc_driver_\(name).so").path
        }
        guard let file = files.first(where: { FileManager.default.fileExists(atPath: $0) }) else {
            throw RealServerError("the ADBC driver for \(name) is missing; run packaging/make-test-environment.sh")
        }
        return file
    }
}
