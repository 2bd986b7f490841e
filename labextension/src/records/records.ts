/**
 * Offers to insert the recorded output of guarded cells into a notebook that was not open while they ran.
 *
 * The folder `records/` exports the offer, and the reports of prompts of `input()`. It may import from
 * `browser/`, `tokens` and `countdown/`.
 */

import { asArray, asObject, asString } from '../countdown/messages';
import type { CellRecord, IManager } from '../tokens';

/** The part of a code cell that is read and changed. */
export interface RecordedCell {
  /** The id of the cell. */
  readonly id: string;
  /** Its outputs; absent in other cells. */
  readonly outputs?: {
    toJSON(): unknown;
    fromJSON(outputs: readonly unknown[]): void;
  };
}

/** An offer to show. */
export interface Offer {
  /** The record. */
  readonly record: CellRecord;
  /** Insert the recorded output. Rejects if it cannot be read. */
  readonly insert: () => Promise<void>;
}

/** Options of {@link RecordOffers}. */
export interface RecordOffersOptions {
  /** Provides the records. */
  readonly manager: Pick<IManager, 'listRecords' | 'readRecord'>;
  /** Show an offer until it is accepted or dismissed. */
  readonly show: (offer: Offer) => void;
}

/** Finds cells whose output is shorter than its record, and offers each record once. */
export class RecordOffers {
  readonly #options: RecordOffersOptions;
  readonly #offered = new Set<string>();

  constructor(options: RecordOffersOptions) {
    this.#options = options;
  }

  /** Look for records of the cells of a notebook. Never rejects. */
  async check(cells: Iterable<RecordedCell>): Promise<void> {
    // Without a backend there is nothing to offer.
    const records = await this.#options.manager.listRecords().catch(() => []);
    const byCell = new Map<string, CellRecord>();
    for (const record of records) {
      // The newest comes first.
      if (!byCell.has(record.cellId)) {
        byCell.set(record.cellId, record);
      }
    }
    for (const cell of cells) {
      const record = byCell.get(cell.id);
      if (record && !this.#offered.has(record.id) && isIncomplete(cell, record)) {
        this.#offered.add(record.id);
        this.#options.show({ record, insert: () => this.#insert(cell, record) });
      }
    }
  }

  async #insert(cell: RecordedCell, record: CellRecord): Promise<void> {
    cell.outputs?.fromJSON(await this.#options.manager.readRecord(record.id));
  }
}

/** Return whether a cell shows less than its record, and no output of a later run. */
function isIncomplete(cell: RecordedCell, record: CellRecord): boolean {
  const shown = cell.outputs && textOf(cell.outputs.toJSON());
  if (shown === undefined || shown.length >= record.shownLength) {
    return false;
  }
  // The first output of a recorded cell names the record.
  return shown === '' || shown.includes(record.id);
}

/** Return the text of outputs, as the recorder counts it. */
function textOf(outputs: unknown): string {
  return asArray(outputs)
    .map((each) => outputText(asObject(each)))
    .join('');
}

function outputText({ output_type: type, text, traceback, data }: Record<string, unknown>): string {
  if (type === 'stream') {
    return joined(text);
  }
  return type === 'error' ? joined(traceback) : joined(asObject(data)['text/plain']);
}

const joined = (value: unknown): string =>
  Array.isArray(value) ? value.map(asString).join('') : asString(value);
