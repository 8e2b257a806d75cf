// swift-tools-version: 6.1
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

let package = Package(
    name: "sine",
    platforms: [.macOS(.v15)],
    products: [.library(name: "sine", type: .dynamic, targets: ["sine"])],
    dependencies: [.package(name: "grafana", path: "../../..")],
    targets: [
        .target(
            name: "sine",
            dependencies: [.product(name: "PluginABI", package: "grafana")],
            linkerSettings: [
                // The library brings its own copy of Swift along and shows the host one symbol.
                .unsafeFlags([
                    "-static-stdlib", "-Xlinker", "--version-script=\(Context.packageDirectory)/exports.map",
                ])
            ])
    ]
)
