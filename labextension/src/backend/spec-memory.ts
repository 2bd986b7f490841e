/** Which kernel specs have the package, remembered for later pages of this browser. */

import type { Timers } from '../countdown/clock';
import { asNumber, asObject, asString } from '../countdown/messages';

/** Milliseconds after which a spec without the package is tried again, because it may have been installed. */
export const RETRY_SPEC_AFTER_MS = 600_000;

const STORAGE_KEY_PREFIX = 'modelarts-magics:helper:';

/** The record of the installation, which `install-lab` writes beside this code. */
export interface InstallationRecord {
  /** The name of the kernel spec with the package; empty when it is not known. */
  readonly kernel: string;
  /** The Python file that makes the package importable; empty when that is not needed. */
  readonly activate: string;
  /** The version of the package. */
  readonly version: string;
  /** When it was installed, in milliseconds since 1970. */
  readonly installedAtMs: number;
}

/** Why a spec is unusable: its kernel does not have the package, does not start, or does not answer. */
export type UnusableReason = 'no-package' | 'no-start' | 'no-answer';

/** Read a record of unknown form. */
export function readInstallationRecord(value: unknown): InstallationRecord {
  const { kernel, activate, version, installed_at_ms: installedAtMs } = asObject(value);
  return {
    ...{ kernel: asString(kernel), activate: asString(activate), version: asString(version) },
    installedAtMs: asNumber(installedAtMs) ?? 0,
  };
}

/** Options of {@link SpecMemory}. */
export interface SpecMemoryOptions {
  /** The storage that the tabs share. */
  readonly storage: Pick<Storage, 'getItem' | 'setItem'>;
  /** The URL of the server, because one origin may have several servers. */
  readonly serverUrl: string;
  /** Clock and timers. */
  readonly timers: Timers;
}

/** Remembers which spec has served, and which ones do not have the package or do not start. */
export class SpecMemory {
  readonly #options: SpecMemoryOptions;
  readonly #storageKey: string;

  constructor(options: SpecMemoryOptions) {
    this.#options = options;
    this.#storageKey = STORAGE_KEY_PREFIX + options.serverUrl;
  }

  /** The spec that served last; empty when there is none. */
  get served(): string {
    return asString(this.#stored().served);
  }

  /** Remember that a spec has the package. */
  markServed(spec: string): void {
    const unusable = Object.entries(asObject(this.#stored().unusable));
    const others = Object.fromEntries(unusable.filter(([name]) => name !== spec));
    this.#store({ served: spec, unusable: others });
  }

  /** Remember why this version of the package cannot be used with a spec. */
  markUnusable(spec: string, version: string, reason: UnusableReason): void {
    const { served, unusable } = this.#stored();
    const entry = { version, at_ms: this.#options.timers.now(), reason };
    this.#store({
      served: served === spec ? '' : served,
      unusable: { ...asObject(unusable), [spec]: entry },
    });
  }

  /** Return why a spec was found unusable recently; empty if it was not, or the package was installed since. */
  whyUnusable(spec: string, record: InstallationRecord): string {
    const { version, at_ms: atMs, reason } = asObject(asObject(this.#stored().unusable)[spec]);
    const markedAtMs = asNumber(atMs);
    const oldestMs = this.#options.timers.now() - RETRY_SPEC_AFTER_MS;
    const isRecent = markedAtMs !== null && markedAtMs > Math.max(oldestMs, record.installedAtMs);
    return isRecent && version === record.version ? asString(reason) : '';
  }

  /** Forget the unusable specs, so that all are tried again. */
  forgetUnusable(): void {
    this.#store({ served: this.served, unusable: {} });
  }

  #stored(): ReturnType<typeof asObject> {
    try {
      return asObject(JSON.parse(this.#options.storage.getItem(this.#storageKey) ?? ''));
    } catch {
      return {};
    }
  }

  #store(content: object): void {
    try {
      this.#options.storage.setItem(this.#storageKey, JSON.stringify(content));
    } catch {
      // Without storage, each page tries the specs by itself.
    }
  }
}
