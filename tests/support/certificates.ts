/**
 * Throwaway certificates, made by openssl.
 *
 * @module
 */

/** A folder with a CA and what it has signed; disposing of it deletes it. */
export interface Certificates extends AsyncDisposable {
  readonly folder: string;
  /** Path of the CA's certificate. */
  readonly ca: string;
  /** Makes `<name>.pem` and `<name>.key` for localhost, signed by the CA or, with `selfSigned`, by itself. */
  issue(name: string, options?: { selfSigned?: boolean; days?: number }): Promise<IssuedCertificate>;
}

/** Paths of a certificate and its key. */
export interface IssuedCertificate {
  readonly cert: string;
  readonly key: string;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
const NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1";

/** Makes a CA in a new temporary folder. */
export async function makeCertificates(): Promise<Certificates> {
  const folder = await Deno.makeTempDir();
  const openssl = async (...args: string[]): Promise<void> => {
    const { success, stderr } = await new Deno.Command("openssl", { args, cwd: folder, stdin: "null" })
      .output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  };
  const sign = ["req", "-x509", ...NEW_KEY, "-subj"];
  await openssl(...sign, "/CN=test CA", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2");
  return {
    folder,
    ca: `${folder}/ca.pem`,
    async issue(name, { selfSigned = false, days = 2 } = {}): Promise<IssuedCertificate> {
      const issuer = selfSigned ? [] : ["-CA", "ca.pem", "-CAkey", "ca.key"];
      await openssl(
        ...[
          ...sign,
          `/CN=${name}`,
          "-addext",
          NAMES,
          "-addext",
          "basicConstraints=critical,CA:FALSE",
          ...issuer,
        ],
        ...["-keyout", `${name}.key`, "-out", `${name}.pem`, "-days", String(days)],
      );
      return { cert: `${folder}/${name}.pem`, key: `${folder}/${name}.key` };
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await Deno.remove(folder, { recursive: true });
    },
  };
}
