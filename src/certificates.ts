/**
 * The certificates and keys that a config names, read and judged before the runtime gets them.
 *
 * Deno 2.9 ends the whole process where a client's certificate and key are no pair, are broken, or are of a kind
 * that its TLS does not know: a reload of such files would take a running proxy away. So nothing is left to it.
 *
 * @module
 */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { type Config, ConfigError, type ConfigProblem, type UpstreamConfig } from "./config/mod.ts";
import type { TlsOptions } from "./upstream/mod.ts";

/** The setting `tls` of an upstream. */
export type TlsConfig = UpstreamConfig["tls"];

/** Every problem with the certificates of all routes, each with the path of its setting. */
export function certificateProblems({ routes }: Pick<Config, "routes">): ConfigProblem[] {
  return routes.flatMap(({ upstream }, at) =>
    // A program has no use for them.
    upstream.stdio === undefined ? read(upstream.tls, `routes[${at}].upstream.tls`).problems : []
  );
}

/**
 * The certificates of one upstream.
 *
 * @param path of the setting `tls`, for what is told
 * @throws {ConfigError} with all that cannot be used
 */
export function readCertificates(tls: TlsConfig, path: string): TlsOptions {
  const { options, problems } = read(tls, path);
  if (problems.length > 0) throw new ConfigError(problems);
  return options;
}

function read(
  tls: TlsConfig,
  path: string,
): { readonly options: TlsOptions; readonly problems: readonly ConfigProblem[] } {
  const files = new PemFiles(tls, path);
  const ca = files.text("caFile", "CERTIFICATE");
  const cert = files.text("certFile", "CERTIFICATE");
  const key = files.text("keyFile", "[A-Z ]*PRIVATE KEY");
  if (ca !== undefined) {
    files.judge("caFile", () => Deno.createHttpClient({ caCerts: [ca] }).close());
  }
  const certificate = cert &&
    files.judge("certFile", () => new X509Certificate(block(cert, "CERTIFICATE")));
  const secret = key &&
    files.judge("keyFile", () => createPrivateKey(block(key, "[A-Z ]*PRIVATE KEY")));
  if (secret) files.judgeKey(secret, certificate || undefined);
  return {
    options: { caCerts: ca === undefined ? [] : [ca], cert, key },
    problems: files.problems,
  };
}

/** The first PEM block of such a kind; one file may hold a certificate and its key. */
function block(pem: string, label: string): string {
  const [begin, kind] = new RegExp(`-----BEGIN (${label})-----`).exec(pem)!;
  const from = pem.indexOf(begin);
  const end = `-----END ${kind}-----`;
  const to = pem.indexOf(end, from);
  if (to === -1) throw new Error(`the PEM block ${kind} has no end`);
  return pem.slice(from, to + end.length);
}

/** Larger than any bundle of authorities, in bytes. */
const MAX_PEM_BYTES = 4 * 1024 * 1024;

/**
 * The text of a file with a key or certificates.
 *
 * @throws where it is no regular file of a sensible size that can be read
 */
export function readPem(file: string): string {
  const { isFile, isDirectory, size } = Deno.statSync(file);
  // Reading a pipe would wait for whoever writes to it.
  if (!isFile) throw new Error(isDirectory ? "it is a folder" : "it is no regular file");
  if (size > MAX_PEM_BYTES) throw new Error(`it has more than ${MAX_PEM_BYTES} bytes`);
  return Deno.readTextFileSync(file);
}

type FileKey = keyof TlsConfig;

/** What each file has to be. */
const WANTED = {
  caFile: "a readable PEM file with certificates of authorities",
  certFile: "a readable PEM file with a certificate chain, the client's own first",
  keyFile: "a readable PEM file with the key of the certificate, without a passphrase",
} as const satisfies Record<FileKey, string>;

/** The files of one upstream, and what is wrong with them. */
class PemFiles {
  readonly problems: ConfigProblem[] = [];
  readonly #tls: TlsConfig;
  readonly #path: string;

  constructor(tls: TlsConfig, path: string) {
    this.#tls = tls;
    this.#path = path;
  }

  /** The text of a file with a PEM block of such a kind; undefined where there is none to go on with. */
  text(key: FileKey, label: string): string | undefined {
    const file = this.#tls[key];
    if (file === undefined) return undefined;
    let text: string;
    try {
      text = readPem(file);
    } catch (error) {
      this.#refuse(key, `cannot be read (${messageOf(error)})`);
      return undefined;
    }
    if (new RegExp(`-----BEGIN ${label}-----`).test(text)) return text;
    const has = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text)?.[1];
    this.#refuse(key, has === undefined ? "holds no PEM block" : `holds a PEM block ${has} alone`);
    return undefined;
  }

  /** What `use` makes of a file; undefined where it cannot be used. */
  judge<T>(key: FileKey, use: () => T): T | undefined {
    try {
      return use();
    } catch (error) {
      this.#refuse(key, `cannot be used (${messageOf(error)})`);
      return undefined;
    }
  }

  /** Whether the runtime can use a key, with that certificate. */
  judgeKey(secret: KeyObject, certificate: X509Certificate | undefined): void {
    const odd = oddKind(secret);
    if (odd !== undefined) this.#refuse("keyFile", `holds ${odd}`, KEYS_WANTED);
    else if (certificate !== undefined && !certificate.checkPrivateKey(secret)) {
      this.#refuse("keyFile", `is not the key of the certificate in ${this.#tls.certFile}`);
    }
  }

  #refuse(key: FileKey, why: string, wanted: string = WANTED[key]): void {
    const found = `${this.#tls[key]}, which ${why}`;
    this.problems.push({ path: `${this.#path}.${key}`, found, wanted });
  }
}

/** Bits of RSA keys that the runtime's TLS takes. */
const [MIN_RSA_BITS, MAX_RSA_BITS] = [2_048, 8_192];

const CURVES: readonly string[] = ["prime256v1", "secp384r1", "secp521r1"];

const KEYS_WANTED =
  `a key of RSA (${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits), EC (P-256, P-384 or P-521) or Ed25519`;

/** In words, where the runtime's TLS cannot use keys of that kind. */
function oddKind({ asymmetricKeyType: type, asymmetricKeyDetails }: KeyObject): string | undefined {
  const { modulusLength = 0, namedCurve = "" } = asymmetricKeyDetails ?? {};
  if (type === "rsa") {
    if (modulusLength >= MIN_RSA_BITS && modulusLength <= MAX_RSA_BITS) return undefined;
    return `an RSA key of ${modulusLength} bits`;
  }
  if (type === "ec") {
    return CURVES.includes(namedCurve) ? undefined : `an EC key on the curve ${namedCurve}`;
  }
  return type === "ed25519" ? undefined : `a key of the kind ${type}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
