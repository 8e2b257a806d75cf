// SPDX-License-Identifier: Apache-2.0

extension Migration {
    static let organisationsAndUsers = Migration(id: "0001-organisations-and-users") { dialect in
        [
            """
            CREATE TABLE org (
                id \(dialect.primaryKey),
                name \(dialect.name190) NOT NULL,
                version \(dialect.integer) NOT NULL,
                created \(dialect.integer) NOT NULL,
                updated \(dialect.integer) NOT NULL
            )
            """,
            "CREATE UNIQUE INDEX uqe_org_name ON org (name)",
            """
            CREATE TABLE "user" (
                id \(dialect.primaryKey),
                uid \(dialect.name190) NOT NULL,
                login \(dialect.name190) NOT NULL,
                email \(dialect.name190) NOT NULL,
                name \(dialect.text) NOT NULL,
                password \(dialect.text) NOT NULL,
                salt \(dialect.text) NOT NULL,
                org_id \(dialect.integer) NOT NULL,
                is_admin \(dialect.boolean) NOT NULL,
                is_disabled \(dialect.boolean) NOT NULL,
                must_change_password \(dialect.boolean) NOT NULL,
                theme \(dialect.text) NOT NULL,
                created \(dialect.integer) NOT NULL,
                updated \(dialect.integer) NOT NULL,
                last_seen_at \(dialect.integer) NOT NULL
            )
            """,
            "CREATE UNIQUE INDEX uqe_user_uid ON \"user\" (uid)",
            "CREATE UNIQUE INDEX uqe_user_login ON \"user\" (login)",
            "CREATE UNIQUE INDEX uqe_user_email ON \"user\" (email)",
            """
            CREATE TABLE org_user (
                id \(dialect.primaryKey),
                org_id \(dialect.integer) NOT NULL REFERENCES org (id) ON DELETE CASCADE,
                user_id \(dialect.integer) NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
                role \(dialect.text) NOT NULL,
                created \(dialect.integer) NOT NULL,
                updated \(dialect.integer) NOT NULL
            )
            """,
            "CREATE UNIQUE INDEX uqe_org_user_org_id_user_id ON org_user (org_id, user_id)",
            "CREATE INDEX idx_org_user_user_id ON org_user (user_id)",
            """
            CREATE TABLE login_attempt (
                id \(dialect.primaryKey),
                username \(dialect.name190) NOT NULL,
                ip_address \(dialect.text) NOT NULL,
                created \(dialect.integer) NOT NULL
            )
            """,
            "CREATE INDEX idx_login_attempt_username ON login_attempt (username, created)",
        ]
    }

    static let sessions = Migration(id: "0002-sessions") { dialect in
        [
            """
            CREATE TABLE user_auth_token (
                id \(dialect.primaryKey),
                user_id \(dialect.integer) NOT NULL REFERENCES "user" (id) ON DELETE CASCADE,
                auth_token \(dialect.name190) NOT NULL,
                prev_auth_token \(dialect.name190) NOT NULL,
                user_agent \(dialect.text) NOT NULL,
                client_ip \(dialect.text) NOT NULL,
                auth_token_seen \(dialect.boolean) NOT NULL,
                seen_at \(dialect.integer),
                rotated_at \(dialect.integer) NOT NULL,
                created_at \(dialect.integer) NOT NULL,
                updated_at \(dialect.integer) NOT NULL,
                revoked_at \(dialect.integer)
            )
            """,
            "CREATE UNIQUE INDEX uqe_user_auth_token_auth_token ON user_auth_token (auth_token)",
            "CREATE INDEX idx_user_auth_token_prev ON user_auth_token (prev_auth_token)",
            "CREATE INDEX idx_user_auth_token_user_id ON user_auth_token (user_id)",
        ]
    }

    static let dataKeys = Migration(id: "0003-data-keys") { dialect in
        [
            """
            CREATE TABLE data_keys (
                uid \(dialect.name190) NOT NULL PRIMARY KEY,
                label \(dialect.name190) NOT NULL,
                active \(dialect.boolean) NOT NULL,
                scope \(dialect.name190) NOT NULL,
                provider \(dialect.text) NOT NULL,
                encrypted_data \(dialect.blob) NOT NULL,
                created \(dialect.integer) NOT NULL,
                updated \(dialect.integer) NOT NULL
            )
            """,
            "CREATE INDEX idx_data_keys_label ON data_keys (label)",
        ]
    }

    static let dataSources = Migration(id: "0004-data-sources") { dialect in
        [
            """
            CREATE TABLE data_source (
                id \(dialect.primaryKey),
                uid \(dialect.name190) NOT NULL,
                org_id \(dialect.integer) NOT NULL REFERENCES org (id) ON DELETE CASCADE,
                version \(dialect.integer) NOT NULL,
                name \(dialect.name190) NOT NULL,
                type \(dialect.text) NOT NULL,
                access \(dialect.text) NOT NULL,
                url \(dialect.text) NOT NULL,
                "user" \(dialect.text) NOT NULL,
                "database" \(dialect.text) NOT NULL,
                basic_auth \(dialect.boolean) NOT NULL,
                basic_auth_user \(dialect.text) NOT NULL,
                with_credentials \(dialect.boolean) NOT NULL,
                is_default \(dialect.boolean) NOT NULL,
                read_only \(dialect.boolean) NOT NULL,
                api_version \(dialect.text) NOT NULL,
                json_data \(dialect.text) NOT NULL,
                secure_json_data \(dialect.text) NOT NULL,
                created \(dialect.integer) NOT NULL,
                updated \(dialect.integer) NOT NULL
            )
            """,
            "CREATE UNIQUE INDEX uqe_data_source_org_id_name ON data_source (org_id, name)",
            "CREATE UNIQUE INDEX uqe_data_source_org_id_uid ON data_source (org_id, uid)",
        ]
    }

    static let pluginSettings = Migration(id: "0005-plugin-settings") { dialect in
        [
            """
            CREATE TABLE plugin_setting (
                id \(dialect.primaryKey),
                org_id \(dialect.integer) NOT NULL REFERENCES org (id) ON DELETE CASCADE,
                plugin_id \(dialect.name190) NOT NULL,
                enabled \(dialect.boolean) NOT NULL,
                pinned \(dialect.boolean) NOT NULL,
                json_data \(dialect.text) NOT NULL,
                secure_json_data \(dialect.text) NOT NULL,
                version \(dialect.integer) NOT NULL,
                created \(dialect.integer) NOT NULL,
                updated \(dialect.integer) NOT NULL
            )
            """,
            "CREATE UNIQUE INDEX uqe_plugin_setting_org_id_plugin_id ON plugin_setting (org_id, plugin_id)",
        ]
    }

    static let keyValues = Migration(id: "0006-key-values") { dialect in
        [
            """
            CREATE TABLE kv_store (
                id \(dialect.primaryKey),
                org_id \(dialect.integer) NOT NULL,
                namespace \(dialect.name190) NOT NULL,
                "key" \(dialect.name190) NOT NULL,
                "value" \(dialect.blob) NOT NULL,
                size \(dialect.integer) NOT NULL,
                version \(dialect.integer) NOT NULL,
                created \(dialect.integer) NOT NULL,
                updated \(dialect.integer) NOT NULL
            )
            """,
            "CREATE UNIQUE INDEX uqe_kv_store_org_id_namespace_key ON kv_store (org_id, namespace, \"key\")",
        ]
    }

    static let desiredPlugins = Migration(id: "0007-desired-plugins") { dialect in
        [
            """
            CREATE TABLE desired_plugin (
                plugin_id \(dialect.name190) NOT NULL PRIMARY KEY,
                present \(dialect.boolean) NOT NULL,
                version \(dialect.text) NOT NULL,
                entry \(dialect.text) NOT NULL,
                revision \(dialect.integer) NOT NULL,
                updated \(dialect.integer) NOT NULL
            )
            """
        ]
    }

    static let pluginTrust = Migration(id: "0008-plugin-trust") { dialect in
        [
            """
            CREATE TABLE plugin_trust_key (
                fingerprint \(dialect.name190) NOT NULL PRIMARY KEY,
                content \(dialect.text) NOT NULL,
                created \(dialect.integer) NOT NULL,
                updated \(dialect.integer) NOT NULL
            )
            """,
            """
            CREATE TABLE plugin_trust_state (
                id \(dialect.integer) NOT NULL PRIMARY KEY,
                revision \(dialect.integer) NOT NULL,
                revocation_serial \(dialect.integer),
                revocations \(dialect.text) NOT NULL,
                updated \(dialect.integer) NOT NULL
            )
            """,
        ]
    }
}
