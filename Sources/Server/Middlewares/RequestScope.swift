// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import Hummingbird
import Logging
import NIOHTTP1
import PluginABI
import ServiceLifecycle
import Storage

/// The outermost layer of every request: trace, errors as JSON, security headers, metrics and the request log.
struct RequestScope: RouterMiddleware {
    let options: ServerOptions
    let metrics: ServerMetrics

    func handle(
        _ request: Request, context: APIContext, next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        let began = ContinuousClock.now
        metrics.requestBegan()
        var context = context
        context.trace = TraceContext(traceParent: request.headers[.traceParent])
        var response: Response
        do {
            response = try await next(request, context)
        } catch let error as HTTPParserError {
            // Hummingbird answers 400 and closes the connection, since nothing after this can be understood.
            metrics.requestEnded(
                handler: context.endpointPath ?? "NotFound", method: request.method.rawValue, status: 400,
                duration: ContinuousClock.now - began)
            throw error
        } catch {
            response = failure(error, request, context)
        }
        finish(&response, context.trace)
        let duration = ContinuousClock.now - began
        metrics.requestEnded(
            handler: context.endpointPath ?? "NotFound", method: request.method.rawValue,
            status: response.status.code, duration: duration)
        log(request, context, response.status, duration)
        return response
    }

    private func finish(_ response: inout Response, _ trace: TraceContext) {
        response.headers[.xContentTypeOptions] = "nosniff"
        if !options.allowsEmbedding { response.headers[.xFrameOptions] = "deny" }
        if response.headers[.cacheControl] == nil { response.headers[.cacheControl] = "no-store" }
        if let value = options.strictTransportSecurity { response.headers[.strictTransportSecurity] = value }
        for (name, value) in options.customHeaders { response.headers[name] = value }
        if trace.isContinued || response.status.code >= 400 { response.headers[.traceIdentifier] = trace.traceID }
    }

    /// The answer to an error that a handler threw.
    private func failure(_ error: any Error, _ request: Request, _ context: APIContext) -> Response {
        let answer: APIError
        switch error {
        case let error as APIError: answer = error
        case let error as HTTPError where error.status == .notFound: answer = .notFound
        case let error as HTTPError: answer = APIError(error.status, error.body ?? error.status.reasonPhrase)
        case let error as StorageError:
            context.logger.error(
                "The store failed", metadata: ["error": "\(error)", "trace.id": "\(context.trace.traceID)"])
            answer = APIError(error, notFound: "Not found")
        case let error as PluginError: answer = APIError(error)
        case is CancellationError:
            answer = APIError(HTTPStatus(code: 499, reasonPhrase: "Client Closed Request"), "Request cancelled")
        default:
            context.logger.error(
                "A request failed", metadata: ["error": "\(error)", "trace.id": "\(context.trace.traceID)"])
            answer = APIError(.internalServerError, "Internal server error")
        }
        return response(to: answer, request, context)
    }

    private func response(to error: APIError, _ request: Request, _ context: APIContext) -> Response {
        var response: Response
        if request.prefersHTML, !request.rawPath.hasPrefix("/api") {
            response = .html(
                MessagePage(title: error.status.reasonPhrase, message: error.message).html(options),
                status: error.status)
        } else {
            response = .json(error.body(traceID: context.trace.traceID), status: error.status)
        }
        for field in error.headers { response.headers[field.name] = field.value }
        if error.status == .contentTooLarge { response.headers[.connection] = "close" }
        return response
    }

    /// Seconds as a plain number, `0.001250`.
    static func seconds(_ duration: Duration) -> String {
        let microseconds = duration / .microseconds(1)
        let whole = Int64(max(0, min(microseconds, 1e15)))
        let fraction = String(whole % 1_000_000)
        return "\(whole / 1_000_000)." + String(repeating: "0", count: 6 - fraction.count) + fraction
    }

    private func log(_ request: Request, _ context: APIContext, _ status: HTTPStatus, _ duration: Duration) {
        let level: Logger.Level = status.code >= 500 ? .error : options.logsRequests ? .info : .debug
        guard level >= context.logger.logLevel else { return }
        context.logger.log(
            level: level, "Request answered",
            metadata: [
                "http.method": "\(request.method)", "http.target": "\(Redaction.target(request.head.path ?? ""))",
                "http.status": "\(status.code)", "http.duration": "\(Self.seconds(duration))",
                "client.ip": "\(context.clientIP)",
                "user.login": "\(context.identity?.login ?? "")", "trace.id": "\(context.trace.traceID)",
            ])
    }
}

extension HTTPField.Name {
    // Literals of valid characters: these initialisers cannot fail.
    static let traceParent = HTTPField.Name("traceparent")!  // '!': a valid field name
    static let traceIdentifier = HTTPField.Name("Grafana-Trace-Id")!  // '!': a valid field name
    static let xFrameOptions = HTTPField.Name("X-Frame-Options")!  // '!': a valid field name
    static let orgIdentifier = HTTPField.Name("X-Grafana-Org-Id")!  // '!': a valid field name
}
