// SPDX-License-Identifier: Apache-2.0

extension PluginRefusal.Code {
    // Discovery: folders
    public static let folderMissing = Self("folder-missing")
    public static let folderUnreadable = Self("folder-unreadable")
    public static let symlinkLoop = Self("symlink-loop")
    public static let folderTooDeep = Self("folder-too-deep")
    public static let fileOutsideFolder = Self("file-outside-folder")

    // Discovery: plugin.json
    public static let pluginJSONUnreadable = Self("plugin-json-unreadable")
    public static let pluginJSONMalformed = Self("plugin-json-malformed")
    public static let pluginJSONInvalid = Self("plugin-json-invalid")
    public static let pluginIDInvalid = Self("plugin-id-invalid")

    // Discovery: filters
    public static let typeNotPermitted = Self("type-not-permitted")
    public static let duplicateID = Self("duplicate-id")
    public static let disabled = Self("disabled")
    public static let loadedAsExternal = Self("loaded-as-external")

    // Validation: signature
    public static let signatureMissing = Self("signature-missing")
    public static let signatureModified = Self("signature-modified")
    public static let signatureInvalid = Self("signature-invalid")
    public static let signatureUnverifiable = Self("signature-unverifiable")

    // Bootstrap and validation: the backend's files
    public static let backendMissing = Self("backend-missing")
    public static let executableMissing = Self("executable-missing")
    public static let libraryMissing = Self("library-missing")
    public static let libraryUnreadable = Self("library-unreadable")
    public static let libraryTooLarge = Self("library-too-large")
    public static let libraryOutsideFolder = Self("library-outside-folder")
    public static let imageNotSealed = Self("image-not-sealed")

    // Validation: the ELF header
    public static let libraryNotELF = Self("library-not-elf")
    public static let libraryTruncated = Self("library-truncated")
    public static let libraryMalformed = Self("library-malformed")
    public static let libraryWrongClass = Self("library-wrong-class")
    public static let libraryWrongArchitecture = Self("library-wrong-architecture")
    public static let libraryNotShared = Self("library-not-shared")
    public static let executableStack = Self("executable-stack")
    public static let entryMissing = Self("entry-missing")
    public static let abiTooNew = Self("abi-too-new")
    public static let abiTooOld = Self("abi-too-old")

    // Initialization: after the code was opened
    public static let libraryNotOpened = Self("library-not-opened")
    public static let entryRefused = Self("entry-refused")
    public static let descriptorDiffers = Self("descriptor-differs")
    public static let startFailed = Self("start-failed")

    /// Every code, in the order of the pipeline; `docs/troubleshooting.md` has one paragraph for each.
    public static let all: [Self] = [
        folderMissing, folderUnreadable, symlinkLoop, folderTooDeep, fileOutsideFolder, pluginJSONUnreadable,
        pluginJSONMalformed, pluginJSONInvalid, pluginIDInvalid, typeNotPermitted, duplicateID, disabled,
        loadedAsExternal, signatureMissing, signatureModified, signatureInvalid, signatureUnverifiable, backendMissing,
        executableMissing, libraryMissing, libraryUnreadable, libraryTooLarge, libraryOutsideFolder, imageNotSealed,
        libraryNotELF, libraryTruncated, libraryMalformed, libraryWrongClass, libraryWrongArchitecture,
        libraryNotShared, executableStack, entryMissing, abiTooNew, abiTooOld, libraryNotOpened, entryRefused,
        descriptorDiffers, startFailed,
    ]

    /// The codes of plugins that are left out on purpose: nothing is broken, and Grafana lists no error for them.
    static let quiet: Set<Self> = [typeNotPermitted, duplicateID, disabled, loadedAsExternal]
}
