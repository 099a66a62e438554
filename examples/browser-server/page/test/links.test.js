// What becomes a link, and what does not.
import assert from 'node:assert/strict';
import test from 'node:test';
import { partsOf } from '../links.js';

// Links in <>.
const shown = (text) => partsOf(text).map(({ text: words, href }) => (href ? `<${words}>` : words)).join('');

test('links: http and https, without what is around them', () => {
  for (const [text, want] of [
    ['', ''],
    ['안녕하세요', '안녕하세요'],
    ['https://example.com', '<https://example.com>'],
    ['See https://example.com/a?b=c&d=%20#e. And HTTP://EXAMPLE.COM!', 'See <https://example.com/a?b=c&d=%20#e>. And <HTTP://EXAMPLE.COM>!'],
    ['여기 https://example.com/문서로 오세요', '여기 <https://example.com/>문서로 오세요'],
    ['https://example.com에서 봐요', '<https://example.com>에서 봐요'],
    ['(https://example.com/a)', '(<https://example.com/a>)'],
    ['https://en.wikipedia.org/wiki/Go_(game), really', '<https://en.wikipedia.org/wiki/Go_(game)>, really'],
    ['"https://a.example" <https://b.example>', '"<https://a.example>" <<https://b.example>>'],
    ['http://[::1]:8080/x', '<http://[::1]:8080/x>'],
    ['https://a.example/\u202etxt.exe', '<https://a.example/>\u202etxt.exe'],
  ]) {
    assert.equal(shown(text), want);
    assert.equal(partsOf(text).map((p) => p.text).join(''), text);
  }
});

test('links: nothing else is one', () => {
  for (const text of ['javascript:alert(1)', 'data:text/html,x', 'ftp://example.com', 'xhttps://example.com', 'https://', 'http://?', 'https:// a',
    'https://bank.example@evil.example/', 'https://a:b@c.example', 'www.example.com', 'https:/example.com']) {
    assert.equal(shown(text), text);
  }
});

test('links: an address is what the browser makes of it, and a long text takes no time', () => {
  assert.equal(partsOf('http://EXAMPLE.com/a/../b')[0].href, 'http://example.com/b');
  const long = 'https://a.example/!!!!'.repeat(200) + ')'.repeat(2000);
  assert.equal(partsOf(long).map((p) => p.text).join(''), long);
});
