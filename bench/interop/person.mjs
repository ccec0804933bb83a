// A person with a browser without script: goes through the pages of a login with a
// code, and allows the claims that are named.
import {readFileSync} from 'node:fs';

export const sheet = JSON.parse(readFileSync(process.argv[2], 'utf8'));
export const person = sheet.people[0];

// browser follows redirects with cookies until somebody must act, or until the way
// leads back to the relying party.
function browser(redirectUri) {
  const cookies = new Map();
  return async function browse(url, form) {
    for(let hop = 0; hop < 10; hop++) {
      const answer = await fetch(url, {
        method: form ? 'POST' : 'GET', body: form && new URLSearchParams(form), redirect: 'manual',
        headers: {cookie: [...cookies].map(pair => pair.join('=')).join('; ')}
      });
      for(const line of answer.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
        cookies.set(name, value);
      }
      if(answer.status < 300 || answer.status >= 400) {
        return {url: new URL(url), page: await answer.text(), status: answer.status};
      }
      url = new URL(answer.headers.get('location'), url);
      form = undefined;
      if(url.href.startsWith(redirectUri)) {
        return {url};
      }
    }
    throw new Error('too many redirects');
  };
}

// login leads from an authorization URL back to the relying party, and gives that URL.
export async function login(begin, redirectUri, claims = ['name', 'email']) {
  const browse = browser(redirectUri);
  let at = await browse(begin);
  const allow = [['decision', 'allow'], ...claims.map(name => ['claim', name])];
  const steps = [['/oidc/login/method', [['method', 'code']]], ['/oidc/login', [['identifier', person.uin]]], ['/oidc/login/code', [['code', '111111']]],
    ['/oidc/login/consent', allow]];
  for(const [path, fields] of steps) {
    const visit = /name="visit" value="([^"]+)"/.exec(at.page ?? '');
    if(!visit) {
      break; // consent was given before
    }
    at = await browse(new URL(path, sheet.url), [...fields, ['visit', visit[1]]]);
  }
  if(!at.url.href.startsWith(redirectUri)) {
    throw new Error(`the login ended at ${at.url.pathname} with ${at.status}`);
  }
  return at.url;
}

// report prints one line of JSON; exit 0 or 1.
export async function report(work) {
  let answer;
  try {
    answer = {passed: true, ...await work()};
  } catch(error) {
    answer = {passed: false, reason: error.message, cause: error.cause?.error_description ?? error.cause?.error ?? String(error.cause?.message ?? error.cause ?? '')};
  }
  console.log(JSON.stringify(answer));
  process.exitCode = answer.passed ? 0 : 1;
}

export function must(holds, what) {
  if(!holds) {
    throw new Error(what);
  }
}
