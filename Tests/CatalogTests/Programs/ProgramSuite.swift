// SPDX-License-Identifier: Apache-2.0
import Testing

/// Tests of the built `grafana-cli` on plugins folders, catalogues and servers.
@Suite(.timeLimit(.minutes(5)))
enum ProgramSuite {}
