// SPDX-License-Identifier: Apache-2.0
import HTTPTypes

// PluginABI names its own request and response types like these; most files need both modules.

/// The status of an answer.
typealias HTTPStatus = HTTPTypes.HTTPResponse.Status
/// The method of a request.
typealias RequestMethod = HTTPTypes.HTTPRequest.Method
