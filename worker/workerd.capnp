# The worker on a workerd of your own: `npm run build`, set the variables, then
#   npx workerd serve workerd.capnp
# The tests run this very file.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "worker", worker = .worker),
    # Upstreams may be on the internet or nearby; take "private" out if all are on the internet.
    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
  ],
  # Put a server that ends TLS in front of it.
  sockets = [(name = "http", address = "127.0.0.1:8788", http = (), service = "worker")],
);

const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "dist/worker.js")],
  compatibilityDate = "2026-11-01",
  # Without it a client's abort does not reach the upstream before the next event.
  compatibilityFlags = ["enable_request_signal"],
  bindings = [
    (name = "INSHORE_UPSTREAMS", fromEnvironment = "INSHORE_UPSTREAMS"),
    (name = "INSHORE_ORIGINS", fromEnvironment = "INSHORE_ORIGINS"),
    (name = "INSHORE_TOKEN_SECRET", fromEnvironment = "INSHORE_TOKEN_SECRET"),
    (name = "INSHORE_TOKEN_TTL_S", fromEnvironment = "INSHORE_TOKEN_TTL_S"),
    (name = "INSHORE_MAX_TOKENS", fromEnvironment = "INSHORE_MAX_TOKENS"),
    (name = "INSHORE_MAX_BODY_BYTES", fromEnvironment = "INSHORE_MAX_BODY_BYTES"),
    (name = "INSHORE_FIRST_BYTE_TIMEOUT_MS", fromEnvironment = "INSHORE_FIRST_BYTE_TIMEOUT_MS"),
    (name = "INSHORE_IDLE_TIMEOUT_MS", fromEnvironment = "INSHORE_IDLE_TIMEOUT_MS"),
    (name = "INSHORE_ALIVE_TIMEOUT_MS", fromEnvironment = "INSHORE_ALIVE_TIMEOUT_MS"),
    (name = "INSHORE_HEARTBEAT_MS", fromEnvironment = "INSHORE_HEARTBEAT_MS"),
    (name = "INSHORE_EARLY_STREAM_MS", fromEnvironment = "INSHORE_EARLY_STREAM_MS"),
    (name = "INSHORE_MINTS_PER_MINUTE", fromEnvironment = "INSHORE_MINTS_PER_MINUTE"),
    (name = "INSHORE_CLIENT_IP_HEADER", fromEnvironment = "INSHORE_CLIENT_IP_HEADER"),
    # One line for each key that INSHORE_UPSTREAMS names.
    (name = "UPSTREAM_KEY", fromEnvironment = "UPSTREAM_KEY"),
    (name = "HOST_KEY", fromEnvironment = "HOST_KEY"),
    (name = "USED_TOKENS", durableObjectNamespace = "UsedTokens"),
  ],
  durableObjectNamespaces = [(className = "UsedTokens", uniqueKey = "inshore-used-tokens")],
  # Tokens live for a minute, and a restart takes longer than it is worth to keep them: memory will do.
  durableObjectStorage = (inMemory = void),
);
