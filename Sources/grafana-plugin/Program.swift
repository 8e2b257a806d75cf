// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Commands

@main
struct Program {
    static func main() async { await GrafanaPlugin.main() }
}
