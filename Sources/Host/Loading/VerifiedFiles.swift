// SPDX-License-Identifier: Apache-2.0
internal import Signing
internal import Synchronization

/// Reads files of signed plugins for browsers: what comes out is what was signed, whatever happens on the disk.
///
/// A file is read once into sealed memory while it is hashed, compared with MANIFEST.txt, and sent from there. Requests
/// for the same content share one copy as long as one of them is being answered.
public final class VerifiedFiles: Sendable {
    /// More bytes than a browser is sent in one file; a bound on the memory of one answer.
    public static let largestFile = 256 << 20

    private struct Holder {
        weak var image: SealedImage?
    }

    private let images = Mutex<[FileDigest: Holder]>([:])

    /// Holds no file.
    public init() {}

    /// The signed content of a file; blocks while it is read.
    ///
    /// - Parameters:
    ///   - path: relative to the plugin's folder, as for ``PluginFiles/location(of:)``.
    ///   - plugin: a plugin whose ``PluginFiles/signed`` is not nil.
    /// - Returns: nil when the plugin has no such file.
    /// - Throws: ``PluginRefusal`` `.signatureModified` when the file on disk is another one, ``FileError`` when it cannot
    ///   be read.
    public func image(of path: String, in plugin: PluginInfo) throws -> SealedImage? {
        guard let relative = FilePath.normalized(path), let expected = plugin.files.signed?[relative],
            let place = plugin.files.location(of: path)
        else { return nil }
        if let image = images.withLock({ $0[expected]?.image }) { return image }
        let image = try SealedImage(reading: place, limit: Self.largestFile)
        guard image.digest == expected else {
            throw PluginRefusal(
                .signatureModified, pluginID: plugin.id, folder: plugin.folder, found: image.digest.hexadecimal,
                expected: expected.hexadecimal, message: "'\(relative)' is not the file that was signed",
                remedy: "reinstall the plugin")
        }
        images.withLock { images in
            images = images.filter { $0.value.image != nil }
            images[expected] = Holder(image: image)
        }
        return image
    }
}
