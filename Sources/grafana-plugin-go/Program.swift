// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import PluginServing

@main
struct Program {
    static func main() async { await ServeCommand.main() }
}
