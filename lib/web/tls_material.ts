/**
 * Certificates and keys, checked before they are used: node:tls under Deno takes any text and then fails each
 * handshake without saying why.
 *
 * @module
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { TlsMaterial } from "../http/tls.ts";
import { WebConfigError } from "./config.ts";

/**
 * Makes sure that clients can be served with it.
 *
 * @throws {WebConfigError} when they cannot
 */
export function checkTlsMaterial({ cert, key, clientCa }: TlsMaterial): void {
  const [certificate] = certificatesOf(cert, "cert");
  if (clientCa !== undefined) certificatesOf(clientCa, "client_ca");
  if (!certificate?.checkPrivateKey(privateKeyOf(key))) {
    throw new WebConfigError("the key does not belong to the certificate");
  }
}

/** When the certificate that the server shows ends, in Unix time. */
export function expiryMs({ cert }: TlsMaterial): number {
  return Math.min(...certificatesOf(cert, "cert").map(({ validTo }) => Date.parse(validTo)));
}

const CERTIFICATE_REGEXP = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function certificatesOf(pem: string, name: string): X509Certificate[] {
  const blocks = pem.match(CERTIFICATE_REGEXP) ?? [];
  if (blocks.length === 0) throw new WebConfigError(`"${name}" holds no certificate in PEM form`);
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw new WebConfigError(`"${name}" holds a certificate that is damaged`, { cause: error });
    }
  });
}

function privateKeyOf(pem: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw new WebConfigError('"key" holds no private key in PEM form, or an encrypted one', { cause: error });
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  const usable = type === "ed25519" || type === "ec" ||
    type === "rsa" && (details?.modulusLength ?? 0) >= 2048;
  if (!usable) throw new WebConfigError('"key" must be RSA of at least 2048 bits, EC or Ed25519');
  return key;
}
