/**
 * Base images for machines without a registry, made of this machine's own files.
 *
 * @module
 */
import type { DockerEngine } from "./docker_engine.ts";

/** Names of the images that {@linkcode importBaseImages} makes. */
export const BASE_IMAGES = {
  DENO_IMAGE: "local/deno",
  BASE_IMAGE: "local/base",
  BUSYBOX_IMAGE: "local/base",
};

/** What a Deno program is linked to. */
const LIBRARIES = ["libdl.so.2", "libgcc_s.so.1", "librt.so.1", "libpthread.so.0", "libm.so.6", "libc.so.6"];

const SCRIPT = `
mkdir -p "$root"/{bin,lib64,opt,tmp,root/.cache,usr/bin,usr/lib/x86_64-linux-gnu}
ln -s usr/lib "$root/lib"
cp /bin/busybox "$root/bin/"
for name in sh mv cat ls ln mkdir; do ln -s busybox "$root/bin/$name"; done
cp $(printf '/lib/x86_64-linux-gnu/%s ' ${LIBRARIES.join(" ")}) "$root/usr/lib/x86_64-linux-gnu/"
cp /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
tar -C "$root" -cf "$root.base.tar" .
cp "$deno" "$root/usr/bin/deno"
cp "\${DENO_COMPILE:-$deno}" "$root/opt/deno-compile"
cp "$DENORT_BIN" "$root/opt/denort"
cp -r "$deno_dir" "$root/root/.cache/deno"
tar -C "$root" -cf "$root.deno.tar" .
`;

/** Imports an image with the C library and busybox, and one that has Deno and a filled cache besides. */
export async function importBaseImages(engine: DockerEngine): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "base-images-" });
  try {
    const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
    const { denoDir } = JSON.parse(new TextDecoder().decode(stdout));
    const { success, stderr } = await new Deno.Command("bash", {
      args: ["-euc", SCRIPT],
      env: { root: `${folder}/root`, deno: Deno.execPath(), deno_dir: denoDir },
    }).output();
    if (!success) throw new Error(`Cannot make the base images: ${new TextDecoder().decode(stderr)}`);
    await engine.docker("import", `${folder}/root.base.tar`, BASE_IMAGES.BASE_IMAGE);
    // Nothing answers at that JSR, so that npm alone is chosen at once.
    const environment =
      "ENV DENORT_BIN=/opt/denort DENO_COMPILE=/opt/deno-compile HOME=/root JSR_URL=http://127.0.0.1:9/";
    await engine.docker("import", "--change", environment, `${folder}/root.deno.tar`, BASE_IMAGES.DENO_IMAGE);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
