#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs each fuzzer of this folder for FUZZ_SECONDS under AddressSanitizer, beginning with the fixtures.
# Usage: Fuzz/run.sh [NAME…]. A finding is written to .build/fuzz/NAME-crash-… and ends the run.
set -eu
cd "$(dirname "$0")/.."
export SWIFT_BACKTRACE=enable=no LSAN_OPTIONS=suppressions=$PWD/Fuzz/leaks.supp:print_suppressions=0
seconds=${FUZZ_SECONDS:-60}
made=.build/fuzz built=
# As SwiftPM names the package, whose modules are imported here: after its folder.
identity=$(basename "$PWD" | tr '[:upper:]' '[:lower:]' | tr -c '[:alnum:]\n' _)
go="GoHandshake GoLogLine GoMessages GoQueryAnswer"
frames="ArrowFile FrameJSON JSONText SharedBatch MathText"
sql="SQLText SQLArray SQLTime SQLNumber"
loki="LokiAnswer"
signing="SignedText Signature Manifest PublicKey TrustPolicy RootURL"
catalog="Archive CatalogIndex CatalogAnswer LockFile PackageFacts VersionRange"
mkdir -p "$made"

# A module's sources and its fuzzers are one module: SwiftPM builds no program without a main function.
# Not optimised: that builds in a minute, and every overflow and bounds check is there.
build() {
    module=$1 program=$2
    shift 2
    swiftc -Onone -sanitize=fuzzer,address -parse-as-library -swift-version 6 -package-name "$identity" \
        -module-name "$module" -use-ld=lld \
        -I include -I Sources/CJansson -I Sources/CRNP -enable-upcoming-feature MemberImportVisibility \
        -enable-upcoming-feature InternalImportsByDefault -enable-upcoming-feature ExistentialAny -suppress-warnings \
        "$@" -o "$made/$program"
}

# What the two ends of the runner's protocol read, in C.
build_messages() {
    clang -std=c11 -O1 -g -fsanitize=fuzzer,address -ISources/CRunnerProtocol/include Fuzz/runner_messages.c \
        Sources/CRunnerProtocol/runner_protocol.c -o "$made/fuzz-messages"
}

# The runner's own side, with a plugin behind it. Its end is a jump, after which what was allocated is forgotten.
build_dispatch() {
    runner=Sources/grafana-plugin-runner
    # shellcheck disable=SC2046
    clang -std=c11 -O1 -g -fsanitize=fuzzer,address -D_GNU_SOURCE -D_exit=fuzz_exit -Dmain=runner_main -Iinclude \
        -I$runner -ISources/CRunnerProtocol/include Fuzz/runner_dispatch.c \
        $(find $runner -name '*.c' ! -name link.c) Sources/CRunnerProtocol/*.c -ljansson -lseccomp -o "$made/fuzz-dispatch"
}

# shellcheck disable=SC2046
build_frames() {
    build PluginABI fuzz $(find Sources/PluginABI Sources/Expressions/Math -name '*.swift' | sort) \
        Sources/Expressions/Expression*.swift Sources/Expressions/Values/ExpressionValue.swift \
        Sources/Expressions/SQL/SQLText.swift Sources/Expressions/SQL/SQLDialect.swift Fuzz/*.swift
}

# Without what hashes and walks files: that would need the whole of swift-crypto.
# shellcheck disable=SC2046
build_signing() {
    build Signing fuzz-signing Sources/Signing/SigningError.swift Sources/Signing/Files/FileAccess.swift \
        Sources/Signing/Verification/SignatureVerdict.swift Sources/Signing/Verification/UnverifiedManifest.swift \
        $(find Sources/Signing/Format Sources/Signing/OpenPGP Sources/Signing/Trust -name '*.swift' | sort) \
        Fuzz/Signing/*.swift
}

# PluginABI as a module and an object of its own, for sources that import it.
# shellcheck disable=SC2046
build_abi() {
    case " $built " in *" abi "*) return ;; esac
    built="$built abi"
    swiftc -Onone -sanitize=address -parse-as-library -wmo -swift-version 6 -package-name "$identity" \
        -module-name PluginABI -emit-module \
        -emit-module-path "$made/PluginABI.swiftmodule" -c -o "$made/PluginABI.o" -I include -suppress-warnings \
        -enable-upcoming-feature MemberImportVisibility -enable-upcoming-feature InternalImportsByDefault \
        -enable-upcoming-feature ExistentialAny $(find Sources/PluginABI -name '*.swift' | sort)
}

build_loki() {
    build_abi
    sources=Sources/BuiltinDatasources
    common=$sources/Common
    build BuiltinDatasources fuzz-loki -I "$made" "$made/PluginABI.o" $common/FormEncoding.swift \
        $common/IntervalArithmetic.swift $common/JSONCapture.swift $common/JSONTokenizer.swift \
        $common/PieceParser.swift $common/QueryFields.swift $common/QueryVariables.swift \
        $common/SampleBuilder.swift $common/SampleText.swift $common/SeriesName.swift $sources/Loki/LogLabels.swift \
        $sources/Loki/LogLineBuilder.swift $sources/Loki/LokiAnswer*.swift $sources/Loki/LokiFrames.swift \
        $sources/Loki/LokiQuery.swift $sources/Loki/LokiStatistics.swift $sources/Loki/TailBatch.swift Fuzz/Loki/*.swift
}

build_sql() {
    build_abi
    sources=Sources/BuiltinDatasources
    build BuiltinDatasources fuzz-sql -I "$made" "$made/PluginABI.o" $sources/Common/IntervalArithmetic.swift \
        $sources/SQL/SQLText.swift $sources/SQL/SQLQuery.swift $sources/SQL/SQLMacros.swift $sources/SQL/SQLLexer.swift \
        $sources/SQL/SQLBytes.swift $sources/SQL/SQLTextColumn.swift $sources/SQL/DateTimeText.swift \
        $sources/SQL/SQLFailure.swift $sources/SQL/SQLLine.swift $sources/SQL/SQLConnection.swift \
        $sources/PostgreSQL/PostgreSQLMacros.swift $sources/PostgreSQL/PostgreSQLType.swift \
        $sources/MySQL/MySQLMacros.swift $sources/SQLite/SQLiteQuery.swift Fuzz/SQL/*.swift
}

# Without what hashes, fetches and judges: that would need the whole of swift-crypto and NIO.
# shellcheck disable=SC2046
build_catalog() {
    build_abi
    sources=Sources/Catalog
    build Catalog fuzz-catalog -I "$made" -I Sources/CZip "$made/PluginABI.o" $sources/CatalogError.swift \
        $sources/Folder/CatalogError+System.swift $sources/Folder/FileTree.swift $sources/Folder/PluginsFolder.swift \
        $sources/Folder/PluginLockFile.swift $sources/Folder/LockedPlugin.swift $sources/Sources/Offer.swift \
        $sources/Sources/CatalogIndex.swift $sources/Sources/GrafanaAnswer.swift \
        $(find $sources/Archive $sources/Package -name '*.swift' | sort) Fuzz/Catalog/*.swift
}

# What the messages of a Go plugin are read with. Its status imports other packages, which SwiftPM has built.
build_go() {
    build_abi
    package=$(swift build --show-bin-path)
    swift build --target GoPlugin
    archive GoPlugin
    # shellcheck disable=SC2046
    build GoPlugin fuzz-go -I "$made" "$made/PluginABI.o" -I "$package/Modules" $(module_maps "$package") \
        Sources/GoPlugin/Handshake/*.swift Sources/GoPlugin/GRPC/MessageReader.swift \
        Sources/GoPlugin/GRPC/GRPCStatus.swift Sources/GoPlugin/Client/QueryAnswerParser.swift \
        Sources/GoPlugin/Generated/status.pb.swift Sources/GoPlugin/Generated/backend.pb.swift Fuzz/GoPlugin/*.swift \
        "$made/libGoPlugin.a"
}

# The server's side of the runner's protocol, with the whole platform behind it and a runner that does nothing.
build_host() {
    build_abi
    package=$(swift build --show-bin-path)
    swift build --target PluginHost
    archive PluginHost
    programs=$made/programs
    mkdir -p "$programs/plugins/prying"
    printf '{"id":"test-prying-datasource","type":"datasource","name":"Prying","backend":true,"library":"prying",%s}' \
        '"info":{"version":"1.0.0"}' >"$programs/plugins/prying/plugin.json"
    cc -Iinclude -fPIC -shared -fvisibility=hidden Tests/Programs/prying.c -lm \
        -o "$programs/plugins/prying/prying_linux_$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/').so"
    cc -ISources/CRunnerProtocol/include Tests/Programs/lying.c Sources/CRunnerProtocol/*.c -o "$programs/lying-runner"
    # shellcheck disable=SC2046
    build PluginHost fuzz-host -I "$made" "$made/PluginABI.o" -I "$package/Modules" $(module_maps "$package") \
        $(find Sources/Host -name '*.swift' | sort) Fuzz/Host/*.swift \
        "$made/libPluginHost.a" -ljansson -lz
}

# Where the C modules of the packages are described.
module_maps() {
    for map in "$1"/*.build/module.modulemap .build/checkouts/*/Sources/*/include/module.modulemap; do
        printf -- '-Xcc -fmodule-map-file=%s ' "$map"
    done
}

# The objects of the packages in one archive, from which the linker takes what it needs; without those of a module. A thin
# one, made at once: other archives keep one object of each name.
archive() {
    rm -f "$made/lib$1.a"
    find "$package/" -name '*.o' -path '*.build/*' ! -path '*-tool.build/*' ! -path '*Tests.build/*' \
        ! -path '*/PluginABI.build/*' ! -path '*/PluginHost.build/*' ! -path "*/$1.build/*" |
        sed 's/.*/"&"/' >"$made/objects"
    ar qcST "$made/lib$1.a" "@$made/objects"
    ranlib "$made/lib$1.a"
}

# The first inputs of a fuzzer, from the fixtures.
seed() {
    corpus=$made/$1-corpus
    mkdir -p "$corpus"
    fixtures=../shared/fixtures
    case $1 in
        GoHandshake) printf '1|2|tcp|127.0.0.1:10000|grpc||true' >"$corpus/line" ;;
        GoLogLine) printf '{"@level":"info","@message":"m","@timestamp":"2026-11-28T01:02:03.000000Z","k":1}\npanic: x\n' \
            >"$corpus/lines" ;;
        GoQueryAnswer)
            for file in "$fixtures"/plugin/query*.response*.pb; do
                { printf '\0' && cat "$file"; } >"$corpus/$(basename "$file")"
            done ;;
        GoMessages) printf '\0\0\0\0\3abc\0\0\0\0\0\1' >"$corpus/messages" ;;
        ArrowFile) find $fixtures/frames $fixtures/sdk -name '*.arrow' -exec cp {} "$corpus/" \; ;;
        FrameJSON | JSONText) find $fixtures/frames $fixtures/sdk -name '*.json' -exec cp {} "$corpus/" \; ;;
        # shellcheck disable=SC2016
        MathText)
            printf '%s' 'is_nan(-$A ** 2) || ${B c} >= 0x1F && !(1.5e3 - $B % abs(null()))' >"$corpus/math"
            printf '%s' "SELECT date_add(t, INTERVAL 1 DAY) FROM \`A\` JOIN (B) -- '" >"$corpus/sql" ;;
        # shellcheck disable=SC2016
        SQLText) printf 'select $__timeGroup(t, \0475m\047, NULL), 1 from t where $__timeFilter(t) -- x\n; $a$ ; $a$' \
            >"$corpus/query" ;;
        LokiAnswer)
            find $fixtures/loki -name '*.json' -size -16k -exec cp {} "$corpus/" \;
            printf '{"data":{"result":[{"metric":{"a":"b"},"value":[1,"2"]}],"resultType":"vector"},"status":"success"}' \
                >"$corpus/sorted" ;;
        SQLArray) printf '[0:1]={{1,NULL},{"a\\"b",t}}' >"$corpus/array" ;;
        SQLNumber) printf '%s' '-9007199254740993.000' >"$corpus/number" ;;
        SQLTime) printf '2026-11-28 01:02:03.456789+05:30' >"$corpus/time" ;;
        SignedText) find $fixtures/signatures -name MANIFEST.txt -exec cp --backup=numbered {} "$corpus/" \; ;;
        Signature)
            find $fixtures/signatures -name MANIFEST.txt | while read -r file; do
                tr -d '\r' <"$file" | sed -n '/^-----BEGIN PGP SIGNATURE/,$p' | gpg --quiet --batch --dearmor \
                    >"$corpus/$(echo "$file" | cksum | cut -d' ' -f1)"
            done ;;
        Manifest)
            find $fixtures/signatures -name MANIFEST.txt | while read -r file; do
                sed '1,/^Hash/d; /^-----BEGIN PGP SIGNATURE/,$d' "$file" >"$corpus/$(echo "$file" | cksum | cut -d' ' -f1)"
            done ;;
        PublicKey) cp $fixtures/signatures/keys/*.asc "$corpus/" ;;
        TrustPolicy) printf '{"schemaVersion":1,"fingerprint":"%s","owner":"A","plugins":["a-*"],"types":["private"],%s}' \
            F33B25B691074E84636570F37E4D0C6A708866E7 '"level":"process","mayRevoke":false' >"$corpus/policy" ;;
        Archive)
            mkdir -p "$made/archives"
            python3 Tests/Catalog/hostile_archives.py "$made/archives" >/dev/null
            find "$made/archives" -name '*.zip' -size -64k -exec cp {} "$corpus/" \; ;;
        CatalogIndex) printf '{"kind":"plugin-catalog","schemaVersion":1,"name":"A","serial":7,"expires":9,"plugins":[%s]}' \
            "{\"id\":\"a-b-panel\",\"versions\":[{\"version\":\"1.0.0\",\"serverRange\":\">=12\",\"builds\":{\"any\":{\"path\":\"a/b.zip\",\"size\":1,\"sha256\":\"$(printf '%064d' 0)\"}}}]}" \
            >"$corpus/index" ;;
        CatalogAnswer) printf '{"items":[%s],"plugins":[{"id":"a-b-panel","category":"","versions":[%s]}]}' \
            '{"version":"1.0.0","isCompatible":true,"slug":"a","arch":{"linux-amd64":{"sha256":"0"}}}' \
            '{"version":"1.0.0","arch":{"any":{}}}' >"$corpus/answer" ;;
        LockFile) printf '{"version":"1.0.0","folder":"a","archiveHash":"0","treeHash":"0","signature":{"status":"valid",%s' \
            '"fingerprint":"F"},"source":{"kind":"url","location":"x"},"permissions":["a: b"],"pinned":true,"installed":""}' \
            >"$corpus/entry" ;;
        PackageFacts) printf '{"id":"a-b-panel","type":"panel","info":{"version":"1.0.0","keywords":["k"]},"backend":true,%s' \
            '"library":"p","permissions":{"hosts":["a"]},"dependencies":{"grafanaDependency":">=12","plugins":[{"id":"b"}]}}' \
            >"$corpus/plugin" ;;
        VersionRange) printf '>=1.2.3-beta.1 <2 || ~3.x ^0.1\n1.2.3-rc.1+b' >"$corpus/range" ;;
        RootURL) printf 'http://{a,*}.[a-c]?.example/**\nhttp://b.cd.example/x/' >"$corpus/url" ;;
    esac
}

# shellcheck disable=SC2086
[ $# -gt 0 ] || set -- $frames $sql $loki $signing $catalog $go RunnerMessages RunnerDispatch HostMessages
for name in "$@"; do
    program=fuzz
    case " $signing " in *" $name "*) program=fuzz-signing ;; esac
    case " $sql " in *" $name "*) program=fuzz-sql ;; esac
    case " $catalog " in *" $name "*) program=fuzz-catalog ;; esac
    case " $go " in *" $name "*) program=fuzz-go ;; esac
    case " $loki " in *" $name "*) program=fuzz-loki ;; esac
    [ "$name" != RunnerMessages ] || program=fuzz-messages
    [ "$name" != HostMessages ] || program=fuzz-host
    [ "$name" != RunnerDispatch ] || program=fuzz-dispatch
    case " $built " in
        *" $program "*) ;;
        *)
            case $program in
                fuzz) build_frames ;;
                fuzz-sql) build_sql ;;
                fuzz-go) build_go ;;
                fuzz-host) build_host ;;
                fuzz-loki) build_loki ;;
                fuzz-messages) build_messages ;;
                fuzz-catalog) build_catalog ;;
                fuzz-dispatch) build_dispatch ;;
                *) build_signing ;;
            esac
            built="$built $program" ;;
    esac
    seed "$name"
    leaks=1 memory=2048
    # The jump out of its _exit forgets what was allocated.
    [ "$name" != RunnerDispatch ] || { leaks=0 memory=16384; }
    export ASAN_OPTIONS=detect_leaks=$leaks
    echo "fuzz: $name for $seconds s"
    FUZZ_PROGRAMS=$PWD/$made/programs FUZZ_TARGET=$name "$made/$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb="$memory" -max_len=65536 \
        -verbosity=0 -print_final_stats=1 -artifact_prefix="$made/$name-" "$made/$name-corpus"
done
