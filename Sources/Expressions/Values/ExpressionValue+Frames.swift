// SPDX-License-Identifier: Apache-2.0
import PluginABI

extension ExpressionValue {
    /// The frame that the client gets.
    func frame(refID: String) -> DataFrame {
        let labels = self.labels.isEmpty ? nil : self.labels
        var frame: DataFrame
        switch content {
        case .frame(let source):
            frame = source
        case .scalar(let value):
            frame = DataFrame(fields: [Field(name, [value], config: config)])
        case .number(let value):
            frame = DataFrame(
                meta: FrameMeta(type: "numeric-multi"), fields: [Field(name, [value], labels: labels, config: config)])
        case .series(let points):
            frame = DataFrame(
                meta: FrameMeta(type: "timeseries-multi"),
                fields: [
                    Field(timeName, column: points.times),
                    Field(name, column: points.values.asNullable, labels: labels, config: config),
                ])
        }
        frame.refID = refID
        guard custom != nil || !notices.isEmpty else { return frame }
        var meta = frame.meta ?? FrameMeta()
        meta.notices += notices
        if let custom { meta.custom = custom }
        frame.meta = meta
        return frame
    }
}
