import { beforeEach, describe, expect, it } from 'vitest';
import { type Offer, RecordOffers, type RecordedCell } from '../../src/records/records';
import type { CellRecord } from '../../src/tokens';

const record: CellRecord = {
  ...{ id: '3f09ac', name: 'cell-5', cellId: 'c1', lines: 3 },
  shownLength: 40,
};
const stream = (text: string | readonly string[]): object => ({
  ...{ output_type: 'stream', name: 'stdout', text },
});

/** A code cell with outputs. */
class FakeCell implements RecordedCell {
  readonly outputs = {
    toJSON: (): unknown => this.values,
    fromJSON: (values: readonly unknown[]): void => {
      this.values = values;
    },
  };

  constructor(
    readonly id: string,
    public values: readonly unknown[],
  ) {}
}

describe('the offer of recorded output', () => {
  let offers: Offer[];
  let records: readonly CellRecord[] | Error;
  let outputs: readonly unknown[];
  let recordOffers: RecordOffers;

  beforeEach(() => {
    offers = [];
    records = [record];
    outputs = [stream('whole output')];
    recordOffers = new RecordOffers({
      manager: {
        listRecords: () =>
          records instanceof Error ? Promise.reject(records) : Promise.resolve(records),
        readRecord: () => Promise.resolve(outputs),
      },
      show: (offer) => offers.push(offer),
    });
  });

  it('is made for a cell that shows less, and inserts everything', async () => {
    const cell = new FakeCell('c1', [stream(['jobs show ', '3f09ac\n', 'one\n'])]);
    await recordOffers.check([new FakeCell('c2', []), cell]);
    expect(offers.map((each) => each.record)).toEqual([record]);
    await offers[0]?.insert();
    expect(cell.values).toEqual(outputs);
  });

  it('is made once for each record', async () => {
    const cells = [new FakeCell('c1', [])];
    await recordOffers.check(cells);
    await recordOffers.check(cells);
    expect(offers).toHaveLength(1);
  });

  it.each([
    ['shows everything', [stream('jobs show 3f09ac'.padEnd(40))]],
    ['has run again without the record', [stream('another output')]],
    [
      'shows another output of the same length',
      [{ output_type: 'error', traceback: ['3f09ac'.padEnd(20), ''.padEnd(20)] }],
    ],
    [
      'shows its result as data',
      [{ output_type: 'execute_result', data: { 'text/plain': '3f09ac'.padEnd(40) } }],
    ],
  ])('is not made for a cell that %s', async (_, values) => {
    await recordOffers.check([new FakeCell('c1', values)]);
    expect(offers).toEqual([]);
  });

  it('is made for the newest record of a cell only', async () => {
    records = [record, { ...record, id: '000000' }];
    await recordOffers.check([new FakeCell('c1', [])]);
    expect(offers.map((each) => each.record.id)).toEqual(['3f09ac']);
  });

  it('leaves cells without outputs and other documents alone', async () => {
    await recordOffers.check([{ id: 'c1' }]);
    expect(offers).toEqual([]);
  });

  it('is not made without a backend', async () => {
    records = new Error('no backend');
    await recordOffers.check([new FakeCell('c1', [])]);
    expect(offers).toEqual([]);
  });

  it('can be accepted again after an error', async () => {
    const cell = new FakeCell('c1', []);
    await recordOffers.check([cell]);
    const failing = new RecordOffers({
      manager: {
        listRecords: () => Promise.resolve([record]),
        readRecord: () => Promise.reject(new Error('gone')),
      },
      show: (offer) => offers.push(offer),
    });
    await failing.check([cell]);
    await expect(offers[1]?.insert()).rejects.toThrow('gone');
    expect(cell.values).toEqual([]);
  });
});
