// swift-tools-version: 6.1
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
]

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
    .product(name: "NIOFoundationCompat", package: "swift-nio"),
]
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let crypto: [Target.Dependency] = [
    .product(name: "Crypto", package: "swift-crypto"),
    .product(name: "CryptoExtras", package: "swift-crypto"),
]

/// What makes a mistake in C harder to use.
let hardening: [CSetting] = [
    .define("_FORTIFY_SOURCE", to: "2", .when(configuration: .release)),
    .unsafeFlags(["-fstack-protector-strong", "-ftrivial-auto-var-init=zero"]),
]

/// A target with the settings that all of them share.
func target(
    _ name: String, path: String? = nil, _ dependencies: [Target.Dependency], exclude: [String] = []
) -> Target {
    .target(name: name, dependencies: dependencies, path: path, exclude: exclude, swiftSettings: swiftSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

let package = Package(
    name: "grafana",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "grafana", targets: ["grafana"]),
        .executable(name: "grafana-cli", targets: ["grafana-cli"]),
        .executable(name: "grafana-plugin", targets: ["grafana-plugin"]),
        .executable(name: "grafana-plugin-go", targets: ["grafana-plugin-go"]),
        .executable(name: "grafana-plugin-runner", targets: ["grafana-plugin-runner"]),
        .executable(name: "grafana-sign", targets: ["grafana-sign"]),
        .library(name: "PluginABI", targets: ["PluginABI"]),
        .library(name: "PluginTesting", targets: ["PluginTesting"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.0.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // The contract and the C libraries, as modules.
        .systemLibrary(name: "CPluginABI", path: "include"),
        .systemLibrary(name: "CADBC"),
        .systemLibrary(name: "CJansson", pkgConfig: "jansson", providers: [.apt(["libjansson-dev"])]),
        .systemLibrary(name: "CRNP", pkgConfig: "librnp", providers: [.apt(["librnp-dev"])]),
        .systemLibrary(name: "CMariaDB", pkgConfig: "libmariadb", providers: [.apt(["libmariadb-dev"])]),
        .systemLibrary(name: "CPostgreSQL", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CZip", pkgConfig: "libzip", providers: [.apt(["libzip-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CLinux"),
        // Begins the server anew when a plugin in its own process crashes.
        .target(name: "CQuarantine", cSettings: hardening),
        // What the server and grafana-plugin-runner say to each other.
        .target(name: "CRunnerProtocol", cSettings: hardening),
        .target(name: "CArrowTable", dependencies: ["CSQLite"], cSettings: hardening),

        // The platform, from the bottom to the top; ArchitectureTests checks the arrows.
        target("PluginABI", ["CPluginABI"]),
        target("Settings", []),
        target("Processes", ["CLinux"]),
        target("Signing", ["CRNP", "CJansson", .product(name: "Crypto", package: "swift-crypto")]),
        target(
            "GoPlugin",
            [
                "PluginABI", "Processes", "CLinux",
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
                .product(name: "X509", package: "swift-certificates"),
            ] + nio + crypto, exclude: ["Protos"]),
        target("BuiltinDatasources", ["PluginABI", "CADBC", "CSQLite", "CPostgreSQL", "CMariaDB"]),
        target(
            "PluginHost", path: "Sources/Host",
            [
                "CPluginABI", "PluginABI", "Processes", "GoPlugin", "CJansson", "CLinux", "CQuarantine",
                "CRunnerProtocol",
                "Signing", logging, lifecycle,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ] + nio),
        // Plugins of ours as backends of Grafana.
        target(
            "PluginServing",
            [
                "PluginABI", "PluginHost", "GoPlugin", "CLinux", logging, arguments,
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ]),
        // What an author proves a plugin with.
        target("PluginTesting", ["PluginABI", "PluginHost", logging]),
        target("Expressions", ["PluginABI", "CArrowTable", "CSQLite"]),
        target("Storage", ["CSQLite", "CLinux", logging] + crypto),
        target(
            "Catalog",
            [
                "PluginABI", "Signing", "Storage", "CZip", "CLinux", logging, lifecycle,
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ] + nio),
        target(
            "Server",
            [
                "PluginABI", "Settings", "PluginHost", "Signing", "Storage", "Expressions", "Catalog", "CQuarantine",
                "CZlib",
                logging, lifecycle,
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
            ] + nio + crypto),
        target(
            "Commands",
            [
                "PluginABI", "Settings", "Signing", "CLinux", "CZip", "BuiltinDatasources", "PluginHost", "Storage",
                "Catalog", "Server", logging, lifecycle, arguments,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ] + nio),

        // The programs: each parses its arguments and calls Commands.
        .executableTarget(name: "grafana", dependencies: ["Commands", arguments], swiftSettings: swiftSettings),
        .executableTarget(name: "grafana-cli", dependencies: ["Commands", arguments], swiftSettings: swiftSettings),
        .executableTarget(name: "grafana-plugin", dependencies: ["Commands", arguments], swiftSettings: swiftSettings),
        // It goes to machines of others: it brings along what they may not have.
        .target(name: "CNoOpenPGP"),
        .executableTarget(
            name: "grafana-plugin-go", dependencies: ["PluginServing", "CNoOpenPGP", arguments],
            swiftSettings: swiftSettings,
            linkerSettings: [.unsafeFlags(["-ld-path=\(Context.packageDirectory)/packaging/link-portable.sh"])]),
        .executableTarget(name: "grafana-sign", dependencies: ["Commands", arguments], swiftSettings: swiftSettings),

        // One plugin in a process of its own: C alone, so that it starts in a millisecond.
        .executableTarget(
            name: "grafana-plugin-runner", dependencies: ["CRunnerProtocol", "CJansson"],
            cSettings: [.headerSearchPath("../../include"), .define("_GNU_SOURCE")] + hardening,
            // The linker is swiftc, which leaves out its own library and start-up code in this mode alone.
            linkerSettings: [
                .linkedLibrary("jansson"), .linkedLibrary("seccomp"),
                .unsafeFlags([
                    "-enable-experimental-feature", "Embedded", "-wmo", "-nostartfiles", "-no-static-stdlib",
                    "-Xlinker",
                    "--as-needed", "-Xlinker", "-z", "-Xlinker", "now",
                ]),
            ]),

        tests("ArchitectureTests", []),
        tests("PluginABITests", ["PluginABI", "CPluginABI"]),
        tests(
            "GoPluginTests",
            [
                "GoPlugin", "PluginABI", "Processes", "TestSupport",
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ] + nio),
        tests(
            "PluginServingTests",
            [
                "PluginServing", "PluginHost", "GoPlugin", "PluginABI", "TestSupport", logging,
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ]),
        tests("ProcessesTests", ["Processes"]),
        tests("SettingsTests", ["Settings"]),
        tests("CatalogTests", ["Catalog", "Signing", "Storage", "PluginABI", "TestSupport", logging]),
        tests("SigningTests", ["Signing", "TestSupport"]),
        tests("StorageTests", ["Storage"]),
        tests("ExpressionsTests", ["Expressions", "PluginABI", "CSQLite"]),
        tests(
            "PluginHostTests",
            [
                "PluginHost", "PluginABI", "CPluginABI", "BuiltinDatasources", "Processes", "Signing", "TestSupport",
                logging,
            ] + nio
                + crypto),
        tests(
            "BuiltinDatasourcesTests",
            ["BuiltinDatasources", "CPluginABI", "PluginABI", "PluginHost", "TestSupport", "CSQLite", logging]),
        tests(
            "PluginTestingTests",
            ["PluginTesting", "PluginABI", "PluginHost", "CPluginABI", "CSQLite", "BuiltinDatasources", "TestSupport"]),
        tests(
            "ServerTests",
            [
                "Server", "Settings", "Signing", "Storage", "Expressions", "PluginHost", "PluginABI",
                "BuiltinDatasources",
                "TestSupport", .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
            ]),
        tests(
            "CommandsTests",
            [
                "Commands", "Catalog", "PluginABI", "Server", "Settings", "Signing", "Storage", "TestSupport", logging,
            ] + nio),
        tests("EndToEndTests", ["PluginABI", "TestSupport"]),

        // Runs programs for the tests, and talks to them.
        target("TestSupport", path: "Tests/TestSupport", ["Signing"]),
    ],
    cLanguageStandard: .c11,
    cxxLanguageStandard: .cxx17
)

// The built-in data sources as shared libraries, for `make builtin-plugins`: the same objects, linked once more.
if Context.environment["GRAFANA_BUILTIN_PLUGINS"] != nil {
    let names = ["adbc", "loki", "mysql", "postgresql", "prometheus", "sqlite", "testdata"]
    package.targets.append(
        .executableTarget(
            name: "builtin-descriptors", dependencies: ["BuiltinDatasources", "PluginABI"],
            path: "Libraries/descriptors", swiftSettings: swiftSettings))
    for name in names {
        package.products.append(.library(name: "builtin-\(name)", type: .dynamic, targets: ["builtin_\(name)"]))
        package.targets.append(
            .target(
                name: "builtin_\(name)", dependencies: ["BuiltinDatasources", "CPluginABI"], path: "Libraries/\(name)",
                swiftSettings: swiftSettings,
                linkerSettings: [
                    // The library brings its own copy of Swift along and shows the host one symbol.
                    .unsafeFlags([
                        "-static-stdlib", "-Xlinker",
                        "--version-script=\(Context.packageDirectory)/Libraries/exports.map",
                    ])
                ]))
    }
}

// The programs of `make bench`, which a usual build leaves out.
if Context.environment["GRAFANA_BENCHMARKS"] != nil {
    package.targets += [
        .target(name: "CBench", path: "Benchmarks/CBench"),
        .executableTarget(
            name: "bench",
            dependencies: ["CBench", "CSQLite", "Expressions", "PluginABI", "PluginHost", "Signing", logging],
            path: "Benchmarks/bench",
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "bench-bare-http",
            dependencies: [
                .product(name: "Hummingbird", package: "hummingbird"), logging,
                .product(name: "NIOCore", package: "swift-nio"),
            ], path: "Benchmarks/peers/bare-http", swiftSettings: swiftSettings),
    ]
}

// Some of the tests alone, for a quick round: GRAFANA_TEST_TARGETS="PluginHostTests" swift build --build-tests
if let wanted = Context.environment["GRAFANA_TEST_TARGETS"]?.split(separator: " ").map(String.init) {
    package.targets.removeAll { $0.isTest && !wanted.contains($0.name) }
}
