import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseS3Url } from './url.ts'

test('a bucket alone is AWS’s, and whatever the SDK finds says who we are, and where', () => {
  assert.deepEqual(parseS3Url('s3://files'), {
    bucket: 'files',
    base: '',
    endpoint: undefined,
    region: undefined,
    isPathStyle: false,
    login: undefined,
  })
})

test('a store of one’s own has its address, and the bucket in the path', () => {
  const url = 's3://key:se%2Fcr%3At%40@files/a/b/?endpoint=http://127.0.0.1:7480'
  assert.deepEqual(parseS3Url(url), {
    bucket: 'files',
    base: 'a/b/',
    endpoint: 'http://127.0.0.1:7480',
    region: 'us-east-1',
    isPathStyle: true,
    login: { accessKeyId: 'key', secretAccessKey: 'se/cr:t@' },
  })
  const { region, isPathStyle } = parseS3Url(`${url}&region=eu-1&style=virtual`)
  assert.deepEqual([region, isPathStyle], ['eu-1', false])
  assert.equal(parseS3Url('s3://files?style=path').isPathStyle, true)
})

test('what cannot be meant is refused in one sentence, without the secret', () => {
  for (const [url, what] of [
    ['s3://key:sec/ret@files', /port after the bucket|no URL/],
    ['s3://', /no bucket|no URL/],
    ['s3://x', /names no bucket/],
    ['s3://files:80', /port after the bucket.*\?endpoint=/],
    ['s3://key@files', /user without a password/],
    ['s3://:geheim@files', /password without a user/],
    ['s3://key:geheim%@files', /%25/],
    ['s3://key:geheim@files#1', /write %23/],
    ['s3://key:geheim@files/a b', /prefix of other characters/],
    ['s3://key:geheim@files/../x?y=1', /option that is not known; there are endpoint, region, style/],
    ['s3://key:geheim@files?style=paths', /neither path nor virtual/],
    ['s3://key:geheim@files?endpoint=127.0.0.1:7480', /no http:\/\/ or https:\/\/ URL/],
  ] as const) {
    assert.throws(
      () => parseS3Url(url),
      (error: Error) => {
        assert.match(error.message, /^ROWMILL_BLOBS_URL [^\n]+\.$/)
        assert.match(error.message, what)
        assert.doesNotMatch(error.message, /geheim|sec\/ret/)
        return 'code' in error && error.code === 'invalid'
      },
      url,
    )
  }
})
