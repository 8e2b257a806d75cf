// SPDX-License-Identifier: Apache-2.0

extension PluginRefusal.Code {
    // Discovery: folders
    /// A source folder does not exist.
    public static let folderMissing = Self("folder-missing")
    /// A folder may not be listed.
    public static let folderUnreadable = Self("folder-unreadable")
    /// The symlinks of a folder lead back into it.
    public static let symlinkLoop = Self("symlink-loop")
    /// A folder has more than 64 levels.
    public static let folderTooDeep = Self("folder-too-deep")
    /// A symlink leaves the plugin's folder.
    public static let fileOutsideFolder = Self("file-outside-folder")

    // Discovery: plugin.json
    /// plugin.json may not be read, or is too large.
    public static let pluginJSONUnreadable = Self("plugin-json-unreadable")
    /// plugin.json is not a JSON object.
    public static let pluginJSONMalformed = Self("plugin-json-malformed")
    /// plugin.json lacks `id` or `type`, or a key has a wrong type.
    public static let pluginJSONInvalid = Self("plugin-json-invalid")
    /// The id cannot be a part of a URL.
    public static let pluginIDInvalid = Self("plugin-id-invalid")

    // Discovery: filters
    /// The type is not loaded by this server.
    public static let typeNotPermitted = Self("type-not-permitted")
    /// Another plugin has the id.
    public static let duplicateID = Self("duplicate-id")
    /// `disable_plugins` names the id.
    public static let disabled = Self("disabled")
    /// `as_external` asks for an external copy instead.
    public static let loadedAsExternal = Self("loaded-as-external")

    // Validation: signature
    /// There is no MANIFEST.txt, and no setting allows that.
    public static let signatureMissing = Self("signature-missing")
    /// Files differ from MANIFEST.txt.
    public static let signatureModified = Self("signature-modified")
    /// MANIFEST.txt is malformed or signed by nobody trusted.
    public static let signatureInvalid = Self("signature-invalid")

    // Bootstrap and validation: the backend's files
    /// `backend` is true and no file is named.
    public static let backendMissing = Self("backend-missing")
    /// The subprocess's program is missing.
    public static let executableMissing = Self("executable-missing")
    /// The shared library for this machine is missing.
    public static let libraryMissing = Self("library-missing")
    /// The library may not be read.
    public static let libraryUnreadable = Self("library-unreadable")
    /// The library has more than 1 GiB.
    public static let libraryTooLarge = Self("library-too-large")
    /// The library is not in the plugin's folder.
    public static let libraryOutsideFolder = Self("library-outside-folder")
    /// The system gave no sealed memory.
    public static let imageNotSealed = Self("image-not-sealed")

    // Validation: the ELF header
    /// The file is not an ELF file.
    public static let libraryNotELF = Self("library-not-elf")
    /// The file ends before its headers say.
    public static let libraryTruncated = Self("library-truncated")
    /// The ELF headers make no sense.
    public static let libraryMalformed = Self("library-malformed")
    /// 32 bit instead of 64.
    public static let libraryWrongClass = Self("library-wrong-class")
    /// Built for another processor.
    public static let libraryWrongArchitecture = Self("library-wrong-architecture")
    /// A program or an object file.
    public static let libraryNotShared = Self("library-not-shared")
    /// It would make all stacks executable.
    public static let executableStack = Self("executable-stack")
    /// `gf_entry_v1` is not exported.
    public static let entryMissing = Self("entry-missing")
    /// It needs a newer host.
    public static let abiTooNew = Self("abi-too-new")
    /// It is built for an ABI that this host no longer serves.
    public static let abiTooOld = Self("abi-too-old")

    // Initialization: a program, before it is started
    /// The file is neither an ELF program nor a script.
    public static let programNotExecutable = Self("program-not-executable")
    /// The program is built for another processor.
    public static let programWrongArchitecture = Self("program-wrong-architecture")
    /// The interpreter or dynamic linker that the program names is missing.
    public static let interpreterMissing = Self("interpreter-missing")

    // Initialization: after the code was opened
    /// `dlopen` failed.
    public static let libraryNotOpened = Self("library-not-opened")
    /// `gf_entry_v1` returned NULL.
    public static let entryRefused = Self("entry-refused")
    /// plugin.json and the descriptor in the code disagree.
    public static let descriptorDiffers = Self("descriptor-differs")
    /// The library did not open, or its process did not start.
    public static let startFailed = Self("start-failed")

    /// `grafana-plugin-runner` is not installed.
    public static let runnerMissing = Self("runner-missing")

    /// Every code, in the order of the pipeline; `docs/troubleshooting.md` has one paragraph for each.
    public static let all: [Self] = [
        folderMissing, folderUnreadable, symlinkLoop, folderTooDeep, fileOutsideFolder, pluginJSONUnreadable,
        pluginJSONMalformed, pluginJSONInvalid, pluginIDInvalid, typeNotPermitted, duplicateID, disabled,
        loadedAsExternal, signatureMissing, signatureModified, signatureInvalid, backendMissing, executableMissing,
        libraryMissing,
        libraryUnreadable, libraryTooLarge, libraryOutsideFolder, imageNotSealed,
        libraryNotELF, libraryTruncated, libraryMalformed, libraryWrongClass, libraryWrongArchitecture,
        libraryNotShared, executableStack, entryMissing, abiTooNew, abiTooOld, programNotExecutable,
        programWrongArchitecture, interpreterMissing, libraryNotOpened, entryRefused, descriptorDiffers, startFailed,
        runnerMissing,
    ]

    /// The codes of plugins that are left out on purpose: nothing is broken, and Grafana lists no error for them.
    static let quiet: Set<Self> = [typeNotPermitted, disabled, loadedAsExternal]
}
