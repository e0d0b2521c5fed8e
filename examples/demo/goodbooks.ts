// goodbooks-10k with its trained reranker and history tower.
import { nn, readSafetensors } from 'silverlode';
import { type BookAttributes, type Goodbooks, itemsOf, loadGoodbooks } from 'silverlode/data';
import type { DemoData, DemoFilter, Person } from './data.js';
import { HistoryTower } from './history_tower.js';

const MAX_HISTORY = 50;

export async function goodbooksData(folder?: string): Promise<DemoData> {
  const books = await loadGoodbooks(folder);
  const { itemCount, itemFactors, attributes, models } = books;
  const [, dims] = itemFactors.shape;

  const rerank = new nn.OverArch({
    dims,
    features: models.features.names.length,
    hidden: [128, 64],
    tasks: models.tasks,
  });
  rerank.loadStateDict(await readSafetensors(models.overarchPath));
  const tower = new HistoryTower(itemCount, dims, 128);
  tower.loadStateDict(await readSafetensors(models.towerPath));

  return {
    dataset: 'goodbooks-10k',
    about: `goodbooks-10k (Zygmunt Zając, CC BY-SA 4.0) from SILVERLODE_DATA, ${books.userCount} readers`,
    items: {
      ids: Int32Array.from({ length: itemCount }, (_, item) => item),
      embeddings: itemFactors,
      attributes: { ...attributes },
      features: models.features,
    },
    modules: { tower, rerank, rerankEmbeddings: 'float32', value: 'sigmoid(read) + sigmoid(like)' },
    clusters: 64,
    title: (item) =>
      `${attributes.title[item]} — ${attributes.authors[item]?.[0]}, ${attributes.year[item] ?? 'undated'}`,
    people: readers(books),
    queries: {
      embeddings: Array.from(books.queryUsers, (user) => factor(books, user)),
      exactTop100: Array.from(books.queryUsers, (_, row) => books.exact.all.ids.subarray(row * 100, (row + 1) * 100)),
    },
    filters: [...translatedFilters(books), ...ownFilters(attributes)],
    shownFilter: 'language:(eng OR en-US OR en-GB) AND average_rating:>=4.2 AND NOT tags:young-adult',
    asUser: ({ liked }) => ({ history: liked }),
  };
}

function factor({ userFactors: { data, shape } }: Goodbooks, user: number): Float32Array {
  return data.subarray(user * shape[1], (user + 1) * shape[1]);
}

/** Everyone with held-out books. */
function readers(books: Goodbooks): Person[] {
  const { train, heldOut } = books;
  return Array.from(heldOut.users, (user, row) => {
    const seen = itemsOf(train, user);
    const ratings = train.ratings.subarray(train.offsets[user], train.offsets[user + 1]);
    const liked = Array.from(seen).filter((_, i) => (ratings[i] as number) >= 4);
    return {
      name: `reader ${user}`,
      embedding: factor(books, user),
      liked: spread(liked, MAX_HISTORY),
      seen,
      heldOut: heldOut.items.subarray(row * heldOut.perUser, (row + 1) * heldOut.perUser),
    };
  });
}

/** At most `limit` entries, evenly spread over the list. */
function spread(list: number[], limit: number): number[] {
  return list.length <= limit
    ? list
    : Array.from({ length: limit }, (_, i) => list[Math.floor((i * list.length) / limit)] as number);
}

/** The data set's own filters; their masks say which books match. */
function translatedFilters({ filters }: Goodbooks): DemoFilter[] {
  return filters.map(({ text, mask }) => ({
    text,
    matches: (item) => (((mask[item >> 3] as number) >> (item & 7)) & 1) === 1,
  }));
}

/** More of them, each said twice: in the filter language and in TypeScript. A comparison with `undefined` is false. */
function ownFilters(columns: BookAttributes): DemoFilter[] {
  const book = (item: number) => ({
    title: columns.title[item] as string,
    authors: columns.authors[item] as string[],
    year: columns.year[item] ?? Number.NaN,
    language: columns.language[item],
    rating: columns.average_rating[item] as number,
    ratings: columns.ratings_count[item] as number,
    tags: columns.tags[item] as string[],
  });
  type Book = ReturnType<typeof book>;
  const conditions: [text: string, matches: (book: Book) => boolean][] = [
    ['*', () => true],
    ['NOT *', () => false],
    ['NOT EXISTS(language)', ({ language }) => language === null],
    ['EXISTS(year) AND NOT year:[1900 TO *]', ({ year }) => year < 1900],
    ['year:{2000 TO 2010}', ({ year }) => year > 2000 && year < 2010],
    ['year:[2000 TO 2010} OR year:<0', ({ year }) => (year >= 2000 && year < 2010) || year < 0],
    ['NOT year:>=1950', ({ year }) => !(year >= 1950)],
    ['average_rating:>4.5 AND ratings_count:<20000', ({ rating, ratings }) => rating > 4.5 && ratings < 20000],
    [
      'tags:(vampires OR werewolves OR zombies)',
      ({ tags }) => ['vampires', 'werewolves', 'zombies'].some((tag) => tags.includes(tag)),
    ],
    [
      'tags:fantasy AND tags:romance AND NOT (tags:young-adult OR tags:paranormal)',
      ({ tags }) =>
        tags.includes('fantasy') &&
        tags.includes('romance') &&
        !(tags.includes('young-adult') || tags.includes('paranormal')),
    ],
    [
      '(tags:irish OR tags:russian) AND NOT language:eng AND year:[1800 TO 2000]',
      ({ tags, language, year }) =>
        (tags.includes('irish') || tags.includes('russian')) && language !== 'eng' && year >= 1800 && year <= 2000,
    ],
    [
      'NOT (tags:general-fiction OR tags:nonfiction)',
      ({ tags }) => !tags.includes('general-fiction') && !tags.includes('nonfiction'),
    ],
    [
      'authors:("Terry Pratchett" OR "Neil Gaiman") AND NOT authors:"Jack Kirby"',
      ({ authors }) =>
        (authors.includes('Terry Pratchett') || authors.includes('Neil Gaiman')) && !authors.includes('Jack Kirby'),
    ],
    ['title:Emma OR title:"The Odyssey"', ({ title }) => title === 'Emma' || title === 'The Odyssey'],
    ['authors:"Nobody at All" OR language:xx', () => false],
    [
      'NOT (NOT tags:poetry AND NOT (tags:classics AND year:<1900))',
      ({ tags, year }) => tags.includes('poetry') || (tags.includes('classics') && year < 1900),
    ],
  ];
  return conditions.map(([text, matches]) => ({ text, matches: (item) => matches(book(item)) }));
}
