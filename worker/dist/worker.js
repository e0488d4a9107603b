// node_modules/hono/dist/http-exception.js
/**
* `HTTPException` must be used when a fatal error such as authentication failure occurs.
*
* @see {@link https://hono.dev/docs/api/exception}
*
* @param {StatusCode} status - status code of HTTPException
* @param {HTTPExceptionOptions} options - options of HTTPException
* @param {HTTPExceptionOptions["res"]} options.res - response of options of HTTPException
* @param {HTTPExceptionOptions["message"]} options.message - message of options of HTTPException
* @param {HTTPExceptionOptions["cause"]} options.cause - cause of options of HTTPException
*
* @example
* ```ts
* import { HTTPException } from 'hono/http-exception'
*
* // ...
*
* app.post('/auth', async (c, next) => {
*   // authentication
*   if (authorized === false) {
*     throw new HTTPException(401, { message: 'Custom error message' })
*   }
*   await next()
* })
* ```
*/
var HTTPException = class extends Error {
	res;
	status;
	/**
	* Creates an instance of `HTTPException`.
	* @param status - HTTP status code for the exception. Defaults to 500.
	* @param options - Additional options for the exception.
	*/
	constructor(status = 500, options) {
		super(options?.message, { cause: options?.cause });
		this.res = options?.res;
		this.status = status;
	}
	/**
	* Returns the response object associated with the exception.
	* If a response object is not provided, a new response is created with the error message and status code.
	* @returns The response object.
	*/
	getResponse() {
		if (this.res) return new Response(this.res.body, {
			status: this.status,
			headers: this.res.headers
		});
		return new Response(this.message, { status: this.status });
	}
};
// node_modules/hono/dist/request/constants.js
var GET_MATCH_RESULT = Symbol();
// node_modules/hono/dist/utils/buffer.js
var bufferToFormData = (arrayBuffer, contentType) => {
	return new Response(arrayBuffer, { headers: { "Content-Type": contentType.replace(/^[^;]+/, (mediaType) => mediaType.toLowerCase()) } }).formData();
};
// node_modules/hono/dist/utils/body.js
var MAX_NESTED_OBJECTS = 1e4;
var isRawRequest = (request) => "headers" in request;
var parseBody = async (request, options = Object.create(null)) => {
	const { all = false, dot = false } = options;
	const mediaType = (isRawRequest(request) ? request.headers : request.raw.headers).get("Content-Type")?.split(";")[0].trim().toLowerCase();
	if (mediaType === "multipart/form-data" || mediaType === "application/x-www-form-urlencoded") return parseFormData(request, {
		all,
		dot
	});
	return {};
};
/**
* Parses form data from a request.
*
* @template T - The type of the parsed body data.
* @param {HonoRequest | Request} request - The request object containing form data.
* @param {ParseBodyOptions} options - Options for parsing the form data.
* @returns {Promise<T>} The parsed body data.
*/
async function parseFormData(request, options) {
	if (!isRawRequest(request) && request.bodyCache.formData) return convertFormDataToBodyData(await request.bodyCache.formData, options);
	const headers = isRawRequest(request) ? request.headers : request.raw.headers;
	const formDataPromise = bufferToFormData(await request.arrayBuffer(), headers.get("Content-Type") || "");
	if (!isRawRequest(request)) request.bodyCache.formData = formDataPromise;
	const formData = await formDataPromise;
	if (formData) return convertFormDataToBodyData(formData, options);
	return {};
}
/**
* Converts form data to body data based on the provided options.
*
* @template T - The type of the parsed body data.
* @param {FormData} formData - The form data to convert.
* @param {ParseBodyOptions} options - Options for parsing the form data.
* @returns {T} The converted body data.
*/
function convertFormDataToBodyData(formData, options) {
	const form = Object.create(null);
	const nestingState = { count: 0 };
	formData.forEach((value, key) => {
		if (!(options.all || key.endsWith("[]"))) form[key] = value;
		else handleParsingAllValues(form, key, value);
	});
	if (options.dot) Object.entries(form).forEach(([key, value]) => {
		if (key.includes(".")) {
			handleParsingNestedValues(form, key, value, nestingState);
			delete form[key];
		}
	});
	return form;
}
/**
* Handles parsing all values for a given key, supporting multiple values as arrays.
*
* @param {BodyData} form - The form data object.
* @param {string} key - The key to parse.
* @param {FormDataEntryValue} value - The value to assign.
*/
var handleParsingAllValues = (form, key, value) => {
	if (form[key] !== void 0) {
		if (Array.isArray(form[key])) form[key].push(value);
		else form[key] = [form[key], value];
	} else if (!key.endsWith("[]")) form[key] = value;
	else form[key] = [value];
};
/**
* Handles parsing nested values using dot notation keys.
*
* @param {BodyData} form - The form data object.
* @param {string} key - The dot notation key.
* @param {BodyDataValue} value - The value to assign.
* @param {{ count: number }} state - The state object tracking nesting depth.
*/
var handleParsingNestedValues = (form, key, value, state) => {
	if (/(?:^|\.)__proto__\./.test(key)) return;
	let nestedForm = form;
	const keys = key.split(".", 34);
	if (keys.length > 33) throwNestingLimitExceeded();
	keys.forEach((key, index) => {
		if (index === keys.length - 1) nestedForm[key] = value;
		else {
			if (!nestedForm[key] || typeof nestedForm[key] !== "object" || Array.isArray(nestedForm[key]) || nestedForm[key] instanceof File) {
				if (state.count++ >= MAX_NESTED_OBJECTS) throwNestingLimitExceeded();
				nestedForm[key] = Object.create(null);
			}
			nestedForm = nestedForm[key];
		}
	});
};
var throwNestingLimitExceeded = () => {
	throw new Error("Nesting limit exceeded");
};
// node_modules/hono/dist/utils/url.js
var splitPath = (path) => {
	const paths = path.split("/");
	if (paths[0] === "") paths.shift();
	return paths;
};
var splitRoutingPath = (routePath) => {
	const { groups, path } = extractGroupsFromPath(routePath);
	return replaceGroupMarks(splitPath(path), groups);
};
var extractGroupsFromPath = (path) => {
	const groups = [];
	path = path.replace(/\{[^}]+\}/g, (match, index) => {
		const mark = `@${index}`;
		groups.push([mark, match]);
		return mark;
	});
	return {
		groups,
		path
	};
};
var replaceGroupMarks = (paths, groups) => {
	for (let i = groups.length - 1; i >= 0; i--) {
		const [mark] = groups[i];
		for (let j = paths.length - 1; j >= 0; j--) if (paths[j].includes(mark)) {
			paths[j] = paths[j].replace(mark, groups[i][1]);
			break;
		}
	}
	return paths;
};
var patternCache = {};
var getPattern = (label, next) => {
	if (label === "*") return "*";
	const match = label.match(/^\:([^\{\}]+)(?:\{(.+)\})?$/);
	if (match) {
		const cacheKey = `${label}#${next}`;
		if (!patternCache[cacheKey]) {
			if (match[2]) patternCache[cacheKey] = next && next[0] !== ":" && next[0] !== "*" ? [
				cacheKey,
				match[1],
				new RegExp(`^${match[2]}(?=/${next})`)
			] : [
				label,
				match[1],
				new RegExp(`^${match[2]}$`)
			];
			else patternCache[cacheKey] = [
				label,
				match[1],
				true
			];
		}
		return patternCache[cacheKey];
	}
	return null;
};
var tryDecode = (str, decoder) => {
	try {
		return decoder(str);
	} catch {
		return str.replace(/(?:%[0-9A-Fa-f]{2})+/g, (match) => {
			try {
				return decoder(match);
			} catch {
				return match;
			}
		});
	}
};
var decodeURIWithPreservedPercent = (value) => decodeURI(value.includes("%25") ? value.replace(/%25/g, "%2525") : value);
var getPath = (request) => {
	const url = request.url;
	const start = url.indexOf("/", url.indexOf(":") + 4);
	let i = start;
	for (; i < url.length; i++) {
		const charCode = url.charCodeAt(i);
		if (charCode === 37) {
			const queryIndex = url.indexOf("?", i);
			const hashIndex = url.indexOf("#", i);
			const end = queryIndex === -1 ? hashIndex === -1 ? void 0 : hashIndex : hashIndex === -1 ? queryIndex : Math.min(queryIndex, hashIndex);
			const path = url.slice(start, end);
			const decoded = tryDecode(path, decodeURIWithPreservedPercent);
			if (/%(?![0-9A-Fa-f]{2})/.test(path)) {
				const rewritten = new URL("http://localhost");
				rewritten.pathname = decoded.replace(/[\\\t\n\r]/g, encodeURIComponent);
				if (tryDecode(rewritten.pathname, decodeURIWithPreservedPercent) !== decoded) return tryDecode(path.replace(/%(?![0-9A-Fa-f]{2})/g, "%25"), decodeURIWithPreservedPercent);
			}
			return decoded;
		} else if (charCode === 63 || charCode === 35) break;
	}
	return url.slice(start, i);
};
var getPathNoStrict = (request) => {
	const result = getPath(request);
	return result.length > 1 && result.at(-1) === "/" ? result.slice(0, -1) : result;
};
/**
* Merge paths.
* @param {string[]} ...paths - The paths to merge.
* @returns {string} The merged path.
* @example
* mergePath('/api', '/users') // '/api/users'
* mergePath('/api/', '/users') // '/api/users'
* mergePath('/api', '/') // '/api'
* mergePath('/api/', '/') // '/api/'
*/
var mergePath = (base, sub, ...rest) => {
	if (rest.length) sub = mergePath(sub, ...rest);
	return `${base?.[0] === "/" ? "" : "/"}${base}${sub === "/" ? "" : `${base?.at(-1) === "/" ? "" : "/"}${sub?.[0] === "/" ? sub.slice(1) : sub}`}`;
};
var checkOptionalParameter = (path) => {
	if (path.charCodeAt(path.length - 1) !== 63 || !path.includes(":")) return null;
	const segments = path.split("/");
	const results = [];
	let basePath = "";
	segments.forEach((segment) => {
		if (segment !== "" && !/\:/.test(segment)) basePath += "/" + segment;
		else if (/\:/.test(segment)) {
			if (segment.charCodeAt(segment.length - 1) === 63) {
				if (results.length === 0 && basePath === "") results.push("/");
				else results.push(basePath);
				const optionalSegment = segment.slice(0, -1);
				basePath += "/" + optionalSegment;
				results.push(basePath);
			} else basePath += "/" + segment;
		}
	});
	return results.filter((v, i, a) => a.indexOf(v) === i);
};
var tryDecodeURIComponent = (str) => str.indexOf("%") !== -1 ? tryDecode(str, decodeURIComponent_) : str;
var _decodeURI = (value) => {
	if (value.indexOf("+") !== -1) value = value.replace(/\+/g, " ");
	return tryDecodeURIComponent(value);
};
var _getQueryParam = (url, key, multiple) => {
	const hashIndex = url.indexOf("#", 8);
	if (hashIndex !== -1) url = url.slice(0, hashIndex);
	let encoded;
	if (!multiple && key && !/[%+&=]/.test(key)) {
		const queryIndex = url.indexOf("?", 8);
		let keyIndex = queryIndex;
		if (keyIndex === -1) return;
		if (!url.startsWith(key, keyIndex + 1)) keyIndex = url.indexOf(`&${key}`, keyIndex + 1);
		while (keyIndex !== -1) {
			const trailingKeyCode = url.charCodeAt(keyIndex + key.length + 1);
			if (trailingKeyCode === 61 || trailingKeyCode === 38 || isNaN(trailingKeyCode)) {
				if (keyIndex > queryIndex && /(?:^|&)[^=&]*[%+]/.test(url.slice(queryIndex + 1, keyIndex))) break;
				if (trailingKeyCode === 61) {
					const valueIndex = keyIndex + key.length + 2;
					const endIndex = url.indexOf("&", valueIndex);
					return _decodeURI(url.slice(valueIndex, endIndex === -1 ? void 0 : endIndex));
				}
				return "";
			}
			keyIndex = url.indexOf(`&${key}`, keyIndex + 1);
		}
		encoded = /[%+]/.test(url);
		if (!encoded) return;
	}
	const results = Object.create(null);
	encoded ??= /[%+]/.test(url);
	let keyIndex = url.indexOf("?", 8);
	while (keyIndex !== -1) {
		const nextKeyIndex = url.indexOf("&", keyIndex + 1);
		let valueIndex = url.indexOf("=", keyIndex);
		if (valueIndex > nextKeyIndex && nextKeyIndex !== -1) valueIndex = -1;
		let name = url.slice(keyIndex + 1, valueIndex === -1 ? nextKeyIndex === -1 ? void 0 : nextKeyIndex : valueIndex);
		if (encoded) name = _decodeURI(name);
		keyIndex = nextKeyIndex;
		if (name === "") continue;
		let value;
		if (valueIndex === -1) value = "";
		else {
			value = url.slice(valueIndex + 1, nextKeyIndex === -1 ? void 0 : nextKeyIndex);
			if (encoded) value = _decodeURI(value);
		}
		if (multiple) {
			if (!(results[name] && Array.isArray(results[name]))) results[name] = [];
			results[name].push(value);
		} else results[name] ??= value;
	}
	return key ? results[key] : results;
};
var getQueryParam = _getQueryParam;
var getQueryParams = (url, key) => {
	return _getQueryParam(url, key, true);
};
var decodeURIComponent_ = decodeURIComponent;
// node_modules/hono/dist/request.js
var HonoRequest = class {
	/**
	* `.raw` can get the raw Request object.
	*
	* @see {@link https://hono.dev/docs/api/request#raw}
	*
	* @example
	* ```ts
	* // For Cloudflare Workers
	* app.post('/', async (c) => {
	*   const metadata = c.req.raw.cf?.hostMetadata?
	*   ...
	* })
	* ```
	*/
	raw;
	#validatedData;
	#matchResult;
	routeIndex = 0;
	/**
	* `.path` can get the pathname of the request.
	*
	* @see {@link https://hono.dev/docs/api/request#path}
	*
	* @example
	* ```ts
	* app.get('/about/me', (c) => {
	*   const pathname = c.req.path // `/about/me`
	* })
	* ```
	*/
	path;
	bodyCache = {};
	constructor(request, path = "/", matchResult = [[]]) {
		this.raw = request;
		this.path = path;
		this.#matchResult = matchResult;
	}
	param(key) {
		return key ? this.#getDecodedParam(key) : this.#getAllDecodedParams();
	}
	#getDecodedParam(key) {
		const paramKey = this.#matchResult[0][this.routeIndex]?.[1][key];
		const param = this.#getParamValue(paramKey);
		return param && tryDecodeURIComponent(param);
	}
	#getAllDecodedParams() {
		const decoded = {};
		const keys = Object.keys(this.#matchResult[0][this.routeIndex]?.[1] ?? {});
		for (const key of keys) {
			const value = this.#getParamValue(this.#matchResult[0][this.routeIndex][1][key]);
			if (value !== void 0) decoded[key] = tryDecodeURIComponent(value);
		}
		return decoded;
	}
	#getParamValue(paramKey) {
		return this.#matchResult[1] ? this.#matchResult[1][paramKey] : paramKey;
	}
	query(key) {
		return getQueryParam(this.url, key);
	}
	queries(key) {
		return getQueryParams(this.url, key);
	}
	header(name) {
		if (name) return this.raw.headers.get(name) ?? void 0;
		const headerData = Object.create(null);
		this.raw.headers.forEach((value, key) => {
			headerData[key] = value;
		});
		return headerData;
	}
	async parseBody(options) {
		return parseBody(this, options);
	}
	#cachedBody = (key) => {
		const { bodyCache, raw } = this;
		const cachedBody = bodyCache[key];
		if (cachedBody) return cachedBody;
		for (const anyCachedKey in bodyCache) return bodyCache[anyCachedKey].then((body) => {
			if (anyCachedKey === "json") body = JSON.stringify(body);
			const contentType = anyCachedKey === "formData" ? void 0 : raw.headers.get("content-type");
			return new Response(body, { headers: contentType ? { "Content-Type": contentType } : void 0 })[key]();
		});
		return bodyCache[key] = raw[key]();
	};
	/**
	* `.json()` can parse Request body of type `application/json`
	*
	* @see {@link https://hono.dev/docs/api/request#json}
	*
	* @example
	* ```ts
	* app.post('/entry', async (c) => {
	*   const body = await c.req.json()
	* })
	* ```
	*/
	json() {
		return this.#cachedBody("text").then((text) => JSON.parse(text));
	}
	/**
	* `.text()` can parse Request body of type `text/plain`
	*
	* @see {@link https://hono.dev/docs/api/request#text}
	*
	* @example
	* ```ts
	* app.post('/entry', async (c) => {
	*   const body = await c.req.text()
	* })
	* ```
	*/
	text() {
		return this.#cachedBody("text");
	}
	/**
	* `.arrayBuffer()` parse Request body as an `ArrayBuffer`
	*
	* @see {@link https://hono.dev/docs/api/request#arraybuffer}
	*
	* @example
	* ```ts
	* app.post('/entry', async (c) => {
	*   const body = await c.req.arrayBuffer()
	* })
	* ```
	*/
	arrayBuffer() {
		return this.#cachedBody("arrayBuffer");
	}
	/**
	* `.bytes()` parses the request body as a `Uint8Array`.
	*
	* @see {@link https://hono.dev/docs/api/request#bytes}
	*
	* @example
	* ```ts
	* app.post('/entry', async (c) => {
	*   const body = await c.req.bytes()
	* })
	* ```
	*/
	bytes() {
		return this.#cachedBody("arrayBuffer").then((buffer) => new Uint8Array(buffer));
	}
	/**
	* Parses the request body as a `Blob`.
	* @example
	* ```ts
	* app.post('/entry', async (c) => {
	*   const body = await c.req.blob();
	* });
	* ```
	* @see https://hono.dev/docs/api/request#blob
	*/
	blob() {
		return this.#cachedBody("blob");
	}
	/**
	* Parses the request body as `FormData`.
	* @example
	* ```ts
	* app.post('/entry', async (c) => {
	*   const body = await c.req.formData();
	* });
	* ```
	* @see https://hono.dev/docs/api/request#formdata
	*/
	formData() {
		return this.#cachedBody("formData");
	}
	/**
	* Adds validated data to the request.
	*
	* @param target - The target of the validation.
	* @param data - The validated data to add.
	*/
	addValidatedData(target, data) {
		(this.#validatedData ??= {})[target] = data;
	}
	valid(target) {
		return this.#validatedData?.[target];
	}
	/**
	* `.url` can get the request url strings.
	*
	* @see {@link https://hono.dev/docs/api/request#url}
	*
	* @example
	* ```ts
	* app.get('/about/me', (c) => {
	*   const url = c.req.url // `http://localhost:8787/about/me`
	*   ...
	* })
	* ```
	*/
	get url() {
		return this.raw.url;
	}
	/**
	* `.method` can get the method name of the request.
	*
	* @see {@link https://hono.dev/docs/api/request#method}
	*
	* @example
	* ```ts
	* app.get('/about/me', (c) => {
	*   const method = c.req.method // `GET`
	* })
	* ```
	*/
	get method() {
		return this.raw.method;
	}
	get [GET_MATCH_RESULT]() {
		return this.#matchResult;
	}
	/**
	* `.matchedRoutes` can return a matched route in the handler
	*
	* @deprecated
	*
	* Use matchedRoutes helper defined in "hono/route" instead.
	*
	* @see {@link https://hono.dev/docs/api/request#matchedroutes}
	*
	* @example
	* ```ts
	* app.use('*', async function logger(c, next) {
	*   await next()
	*   c.req.matchedRoutes.forEach(({ handler, method, path }, i) => {
	*     const name = handler.name || (handler.length < 2 ? '[handler]' : '[middleware]')
	*     console.log(
	*       method,
	*       ' ',
	*       path,
	*       ' '.repeat(Math.max(10 - path.length, 0)),
	*       name,
	*       i === c.req.routeIndex ? '<- respond from here' : ''
	*     )
	*   })
	* })
	* ```
	*/
	get matchedRoutes() {
		return this.#matchResult[0].map(([[, route]]) => route);
	}
	/**
	* `.routePath` can retrieve the path registered within the handler
	*
	* @deprecated
	*
	* Use routePath helper defined in "hono/route" instead.
	*
	* @see {@link https://hono.dev/docs/api/request#routepath}
	*
	* @example
	* ```ts
	* app.get('/posts/:id', (c) => {
	*   return c.json({ path: c.req.routePath })
	* })
	* ```
	*/
	get routePath() {
		return this.#matchResult[0].map(([[, route]]) => route)[this.routeIndex].path;
	}
};
// node_modules/hono/dist/utils/html.js
/**
* @module
* HTML utility.
*/
var HtmlEscapedCallbackPhase = {
	Stringify: 1,
	BeforeStream: 2,
	Stream: 3
};
var raw = (value, callbacks) => {
	const escapedString = new String(value);
	escapedString.isEscaped = true;
	escapedString.callbacks = callbacks;
	return escapedString;
};
var resolveCallback = async (str, phase, preserveCallbacks, context, buffer) => {
	if (typeof str === "object" && !(str instanceof String)) {
		if (!(str instanceof Promise)) str = str.toString();
		if (str instanceof Promise) str = await str;
	}
	const callbacks = str.callbacks;
	if (!callbacks?.length) return Promise.resolve(str);
	if (buffer) buffer[0] += str;
	else buffer = [str];
	const resStr = Promise.all(callbacks.map((c) => c({
		phase,
		buffer,
		context
	}))).then((res) => Promise.all(res.filter(Boolean).map((str) => resolveCallback(str, phase, false, context, buffer))).then(() => buffer[0]));
	if (preserveCallbacks) return raw(await resStr, callbacks);
	else return resStr;
};
// node_modules/hono/dist/context.js
var TEXT_PLAIN = "text/plain; charset=UTF-8";
var setDefaultContentType = (contentType, headers) => {
	return {
		"Content-Type": contentType,
		...headers
	};
};
var createResponseInstance = (body, init) => new Response(body, init);
var Context = class {
	#rawRequest;
	#req;
	/**
	* `.env` can get bindings (environment variables, secrets, KV namespaces, D1 database, R2 bucket etc.) in Cloudflare Workers.
	*
	* @see {@link https://hono.dev/docs/api/context#env}
	*
	* @example
	* ```ts
	* // Environment object for Cloudflare Workers
	* app.get('*', async c => {
	*   const counter = c.env.COUNTER
	* })
	* ```
	*/
	env = {};
	#var;
	finalized = false;
	/**
	* `.error` can get the error object from the middleware if the Handler throws an error.
	*
	* @see {@link https://hono.dev/docs/api/context#error}
	*
	* @example
	* ```ts
	* app.use('*', async (c, next) => {
	*   await next()
	*   if (c.error) {
	*     // do something...
	*   }
	* })
	* ```
	*/
	error;
	#status;
	#executionCtx;
	#res;
	#layout;
	#renderer;
	#notFoundHandler;
	#preparedHeaders;
	#matchResult;
	#path;
	/**
	* Creates an instance of the Context class.
	*
	* @param req - The Request object.
	* @param options - Optional configuration options for the context.
	*/
	constructor(req, options) {
		this.#rawRequest = req;
		if (options) {
			this.#executionCtx = options.executionCtx;
			this.env = options.env;
			this.#notFoundHandler = options.notFoundHandler;
			this.#path = options.path;
			this.#matchResult = options.matchResult;
		}
	}
	/**
	* `.req` is the instance of {@link HonoRequest}.
	*/
	get req() {
		this.#req ??= new HonoRequest(this.#rawRequest, this.#path, this.#matchResult);
		return this.#req;
	}
	/**
	* @see {@link https://hono.dev/docs/api/context#event}
	* The FetchEvent associated with the current request.
	*
	* @throws Will throw an error if the context does not have a FetchEvent.
	*/
	get event() {
		if (this.#executionCtx && "respondWith" in this.#executionCtx) return this.#executionCtx;
		else throw Error("This context has no FetchEvent");
	}
	/**
	* @see {@link https://hono.dev/docs/api/context#executionctx}
	* The ExecutionContext associated with the current request.
	*
	* @throws Will throw an error if the context does not have an ExecutionContext.
	*/
	get executionCtx() {
		if (this.#executionCtx) return this.#executionCtx;
		else throw Error("This context has no ExecutionContext");
	}
	/**
	* @see {@link https://hono.dev/docs/api/context#res}
	* The Response object for the current request.
	*/
	get res() {
		return this.#res ||= createResponseInstance(null, { headers: this.#preparedHeaders ??= new Headers() });
	}
	/**
	* Sets the Response object for the current request.
	*
	* @param _res - The Response object to set.
	*/
	set res(_res) {
		if (this.#res && _res) {
			_res = createResponseInstance(_res.body, _res);
			for (const [k, v] of this.#res.headers.entries()) {
				if (k === "content-type") continue;
				if (k === "set-cookie") {
					const cookies = this.#res.headers.getSetCookie();
					_res.headers.delete("set-cookie");
					for (const cookie of cookies) _res.headers.append("set-cookie", cookie);
				} else _res.headers.set(k, v);
			}
		}
		this.#res = _res;
		this.finalized = true;
	}
	/**
	* `.render()` can create a response within a layout.
	*
	* @see {@link https://hono.dev/docs/api/context#render-setrenderer}
	*
	* @example
	* ```ts
	* app.get('/', (c) => {
	*   return c.render('Hello!')
	* })
	* ```
	*/
	render = (...args) => {
		this.#renderer ??= (content) => this.html(content);
		return this.#renderer(...args);
	};
	/**
	* Sets the layout for the response.
	*
	* @param layout - The layout to set.
	* @returns The layout function.
	*/
	setLayout = (layout) => this.#layout = layout;
	/**
	* Gets the current layout for the response.
	*
	* @returns The current layout function.
	*/
	getLayout = () => this.#layout;
	/**
	* `.setRenderer()` can set the layout in the custom middleware.
	*
	* @see {@link https://hono.dev/docs/api/context#render-setrenderer}
	*
	* @example
	* ```tsx
	* app.use('*', async (c, next) => {
	*   c.setRenderer((content) => {
	*     return c.html(
	*       <html>
	*         <body>
	*           <p>{content}</p>
	*         </body>
	*       </html>
	*     )
	*   })
	*   await next()
	* })
	* ```
	*/
	setRenderer = (renderer) => {
		this.#renderer = renderer;
	};
	/**
	* `.header()` can set headers.
	*
	* @see {@link https://hono.dev/docs/api/context#header}
	*
	* @example
	* ```ts
	* app.get('/welcome', (c) => {
	*   // Set headers
	*   c.header('X-Message', 'Hello!')
	*   c.header('Content-Type', 'text/plain')
	*
	*   // Append multiple headers using the append option (e.g. Vary)
	*   c.header('Vary', 'Accept-Encoding', { append: true })
	*   c.header('Vary', 'User-Agent', { append: true })
	*
	*   return c.body('Thank you for coming')
	* })
	* ```
	*/
	header = (name, value, options) => {
		if (this.finalized && !this.#res.bodyUsed) this.#res = createResponseInstance(this.#res.body, this.#res);
		const headers = this.#res ? this.#res.headers : this.#preparedHeaders ??= new Headers();
		if (value === void 0) headers.delete(name);
		else if (options?.append) headers.append(name, value);
		else headers.set(name, value);
	};
	status = (status) => {
		this.#status = status;
	};
	/**
	* `.set()` can set the value specified by the key.
	*
	* @see {@link https://hono.dev/docs/api/context#set-get}
	*
	* @example
	* ```ts
	* app.use('*', async (c, next) => {
	*   c.set('message', 'Hono is hot!!')
	*   await next()
	* })
	* ```
	*/
	set = (key, value) => {
		this.#var ??= /* @__PURE__ */ new Map();
		this.#var.set(key, value);
	};
	/**
	* `.get()` can use the value specified by the key.
	*
	* @see {@link https://hono.dev/docs/api/context#set-get}
	*
	* @example
	* ```ts
	* app.get('/', (c) => {
	*   const message = c.get('message')
	*   return c.text(`The message is "${message}"`)
	* })
	* ```
	*/
	get = (key) => {
		return this.#var ? this.#var.get(key) : void 0;
	};
	/**
	* `.var` can access the value of a variable.
	*
	* @see {@link https://hono.dev/docs/api/context#var}
	*
	* @example
	* ```ts
	* const result = c.var.client.oneMethod()
	* ```
	*/
	get var() {
		if (!this.#var) return {};
		return Object.fromEntries(this.#var);
	}
	#newResponse(data, arg, headers) {
		let responseHeaders = this.#res ? new Headers(this.#res.headers) : this.#preparedHeaders;
		if (typeof arg === "object" && arg.headers) {
			responseHeaders ??= new Headers();
			for (const [key, value] of new Headers(arg.headers)) if (key === "set-cookie") responseHeaders.append(key, value);
			else responseHeaders.set(key, value);
		}
		if (headers) {
			if (!responseHeaders) {
				let count = 0;
				for (const k in headers) if (++count > 1 || typeof headers[k] !== "string") {
					responseHeaders = new Headers();
					break;
				}
			}
			if (responseHeaders) for (const k in headers) {
				const v = headers[k];
				if (typeof v === "string") responseHeaders.set(k, v);
				else {
					responseHeaders.delete(k);
					for (const v2 of v) responseHeaders.append(k, v2);
				}
			}
		}
		return createResponseInstance(data, {
			status: typeof arg === "number" ? arg : arg?.status ?? this.#status,
			headers: responseHeaders ?? headers
		});
	}
	newResponse = (...args) => this.#newResponse(...args);
	/**
	* `.body()` can return the HTTP response.
	* You can set headers with `.header()` and set HTTP status code with `.status`.
	* This can also be set in `.text()`, `.json()` and so on.
	*
	* @see {@link https://hono.dev/docs/api/context#body}
	*
	* @example
	* ```ts
	* app.get('/welcome', (c) => {
	*   // Set headers
	*   c.header('X-Message', 'Hello!')
	*   c.header('Content-Type', 'text/plain')
	*   // Set HTTP status code
	*   c.status(201)
	*
	*   // Return the response body
	*   return c.body('Thank you for coming')
	* })
	* ```
	*/
	body = (data, arg, headers) => this.#newResponse(data, arg, headers);
	/**
	* `.text()` can render text as `Content-Type:text/plain`.
	*
	* @see {@link https://hono.dev/docs/api/context#text}
	*
	* @example
	* ```ts
	* app.get('/say', (c) => {
	*   return c.text('Hello!')
	* })
	* ```
	*/
	text = (text, arg, headers) => {
		return !this.#preparedHeaders && !this.#status && !arg && !headers && !this.finalized ? new Response(text) : this.#newResponse(text, arg, setDefaultContentType(TEXT_PLAIN, headers));
	};
	/**
	* `.json()` can render JSON as `Content-Type:application/json`.
	*
	* @see {@link https://hono.dev/docs/api/context#json}
	*
	* @example
	* ```ts
	* app.get('/api', (c) => {
	*   return c.json({ message: 'Hello!' })
	* })
	* ```
	*/
	json = (object, arg, headers) => {
		return this.#newResponse(JSON.stringify(object), arg, setDefaultContentType("application/json", headers));
	};
	html = (html, arg, headers) => {
		const res = (html) => this.#newResponse(html, arg, setDefaultContentType("text/html; charset=UTF-8", headers));
		return typeof html === "object" ? resolveCallback(html, HtmlEscapedCallbackPhase.Stringify, false, {}).then(res) : res(html);
	};
	/**
	* `.redirect()` can Redirect, default status code is 302.
	*
	* @see {@link https://hono.dev/docs/api/context#redirect}
	*
	* @example
	* ```ts
	* app.get('/redirect', (c) => {
	*   return c.redirect('/')
	* })
	* app.get('/redirect-permanently', (c) => {
	*   return c.redirect('/', 301)
	* })
	* ```
	*/
	redirect = (location, status) => {
		const locationString = String(location);
		this.header("Location", !/[^\x00-\xFF]/.test(locationString) ? locationString : encodeURI(locationString));
		return this.newResponse(null, status ?? 302);
	};
	/**
	* `.notFound()` can return the Not Found Response.
	*
	* @see {@link https://hono.dev/docs/api/context#notfound}
	*
	* @example
	* ```ts
	* app.get('/notfound', (c) => {
	*   return c.notFound()
	* })
	* ```
	*/
	notFound = () => {
		this.#notFoundHandler ??= () => createResponseInstance();
		return this.#notFoundHandler(this);
	};
};
// node_modules/hono/dist/compose.js
/**
* Compose middleware functions into a single function based on `koa-compose` package.
*
* @template E - The environment type.
*
* @param {[[Function, unknown], unknown][] | [[Function]][]} middleware - An array of middleware functions and their corresponding parameters.
* @param {ErrorHandler<E>} [onError] - An optional error handler function.
* @param {NotFoundHandler<E>} [onNotFound] - An optional not-found handler function.
*
* @returns {(context: Context, next?: Next) => Promise<Context>} - A composed middleware function.
*/
var compose = (middleware, onError, onNotFound) => {
	return (context, next) => {
		let index = -1;
		return dispatch(0);
		/**
		* Dispatch the middleware functions.
		*
		* @param {number} i - The current index in the middleware array.
		*
		* @returns {Promise<Context>} - A promise that resolves to the context.
		*/
		async function dispatch(i) {
			if (i <= index) throw new Error("next() called multiple times");
			index = i;
			let res;
			let isError = false;
			let handler;
			if (middleware[i]) {
				handler = middleware[i][0][0];
				context.req.routeIndex = i;
			} else handler = i === middleware.length && next || void 0;
			if (handler) try {
				res = await handler(context, () => dispatch(i + 1));
			} catch (err) {
				if (err instanceof Error && onError) {
					context.error = err;
					res = await onError(err, context);
					isError = true;
				} else throw err;
			}
			else if (context.finalized === false && onNotFound) res = await onNotFound(context);
			if (res && (context.finalized === false || isError)) context.res = res;
			return context;
		}
	};
};
// node_modules/hono/dist/helper/route/index.js
/**
* Get matched routes in the handler
*
* @param {Context} c - The context object
* @returns An array of matched routes
*
* @example
* ```ts
* import { matchedRoutes } from 'hono/route'
*
* app.use('*', async function logger(c, next) {
*   await next()
*   matchedRoutes(c).forEach(({ handler, method, path }, i) => {
*     const name = handler.name || (handler.length < 2 ? '[handler]' : '[middleware]')
*     console.log(
*       method,
*       ' ',
*       path,
*       ' '.repeat(Math.max(10 - path.length, 0)),
*       name,
*       i === c.req.routeIndex ? '<- respond from here' : ''
*     )
*   })
* })
* ```
*/
var matchedRoutes = (c) => c.req[GET_MATCH_RESULT][0].map(([[, route]]) => route);
/**
* Get the route path registered within the handler
*
* @param {Context} c - The context object
* @param {number} index - The index of the route from which to retrieve the path, similar to Array.prototype.at(), where a negative number is the index counted from the end of the matching route. Defaults to the current route index.
* @returns The route path registered within the handler
*
* @example
* ```ts
* import { routePath } from 'hono/route'
*
* app.use('*', (c, next) => {
*   console.log(routePath(c)) // '*'
*   console.log(routePath(c, -1)) // '/posts/:id'
*   return next()
* })
*
* app.get('/posts/:id', (c) => {
*   return c.text(routePath(c)) // '/posts/:id'
* })
* ```
*/
var routePath = (c, index) => matchedRoutes(c).at(index ?? c.req.routeIndex)?.path ?? "";
// node_modules/hono/dist/router.js
/**
* Array of supported HTTP methods.
*/
var METHODS = [
	"get",
	"post",
	"put",
	"delete",
	"options",
	"patch",
	"query"
];
/**
* Error message indicating that a route cannot be added because the matcher is already built.
*/
var MESSAGE_MATCHER_IS_ALREADY_BUILT = "Can not add a route since the matcher is already built.";
/**
* Error class representing an unsupported path error.
*/
var UnsupportedPathError = class extends Error {};
// node_modules/hono/dist/utils/constants.js
/**
* Constant used to mark a composed handler.
*/
var COMPOSED_HANDLER = "__COMPOSED_HANDLER";
// node_modules/hono/dist/utils/mount.js
var countTrailingSlashes = (path) => {
	let index = path.length;
	while (index > 0 && path.charCodeAt(index - 1) === 47) index--;
	return path.length - index;
};
var getPathPrefixLength = (c, pathPrefix, routePath) => {
	if (!/[:*]/.test(pathPrefix)) return pathPrefix.length;
	const path = c.req.path;
	const matchResult = c.req[GET_MATCH_RESULT];
	const paramNames = /* @__PURE__ */ new Set();
	let length = 0;
	for (const part of splitRoutingPath(pathPrefix)) {
		if (part[0] === ":" && part.endsWith("}?")) throw new Error(`mount(): Optional regular expression parameters are not supported in "${routePath}".`);
		const pattern = getPattern(part);
		if (pattern && pattern !== "*") {
			const name = pattern[1];
			if (paramNames.has(name)) throw new Error(`mount(): Duplicate path parameter "${name}" in "${routePath}".`);
			paramNames.add(name);
		}
		if (pattern && pattern !== "*" && pattern[2] !== true) {
			const value = matchResult.length === 2 ? matchResult[1][matchResult[0][c.req.routeIndex][1][pattern[1]]] : matchResult[0][c.req.routeIndex][1][pattern[1]];
			length += value.length + 1;
		} else if (pattern || part.endsWith("*")) {
			const end = path.indexOf("/", length + 1);
			length = end === -1 ? path.length : end;
		} else length += part.length + 1;
	}
	return length;
};
var createMountedRequest = (c, pathPrefix, routePath) => {
	if (/[^/]\*$/.test(routePath)) throw new Error(`mount(): Wildcard must follow "/" in "${routePath}".`);
	const prefixLength = getPathPrefixLength(c, pathPrefix, routePath);
	const path = c.req.path.slice(prefixLength) || "/";
	if (prefixLength > c.req.path.length || path[0] !== "/" || /\/(?:\.|%2e){1,2}(?:\/|$)/i.test(path)) throw new HTTPException(400, { message: "Invalid mounted path" });
	const rawUrl = c.req.raw.url;
	if (/^[^/?#]*\/\/[^/?#\\]*[?#\\]/.test(rawUrl)) throw new HTTPException(400, { message: "Invalid mounted path" });
	const rawPathEnd = rawUrl.search(/[?#]/);
	const rawTrailingSlashes = countTrailingSlashes(rawPathEnd === -1 ? rawUrl : rawUrl.slice(0, rawPathEnd));
	if (rawTrailingSlashes > 1 && countTrailingSlashes(c.req.path) === rawTrailingSlashes - 1) throw new HTTPException(400, { message: "Invalid mounted path" });
	const url = new URL(rawUrl);
	url.pathname = path.replace(/[\\\t\n\r]/g, encodeURIComponent);
	if (path.includes("%")) {}
	return new Request(url, c.req.raw);
};
// node_modules/hono/dist/hono-base.js
/**
* @module
* This module is the base module for the Hono object.
*/
var notFoundHandler = (c) => {
	return c.text("404 Not Found", 404);
};
var errorHandler = (err, c) => {
	if ("getResponse" in err) {
		const res = err.getResponse();
		return c.newResponse(res.body, res);
	}
	console.error(err);
	return c.text("Internal Server Error", 500);
};
var Hono$1 = class Hono {
	get;
	post;
	put;
	delete;
	options;
	patch;
	query;
	all;
	on;
	use;
	router;
	getPath;
	_basePath = "/";
	#path = "/";
	routes = [];
	constructor(options = {}) {
		[...METHODS, "all"].forEach((method) => {
			this[method] = (args1, ...args) => {
				const methodName = method.toUpperCase();
				if (typeof args1 === "string") this.#path = args1;
				else this.#addRoute(methodName, this.#path, args1);
				args.forEach((handler) => {
					this.#addRoute(methodName, this.#path, handler);
				});
				return this;
			};
		});
		this.on = (method, path, ...handlers) => {
			for (const p of [path].flat()) {
				this.#path = p;
				for (const m of [method].flat()) {
					const methodName = m.toUpperCase();
					for (const handler of handlers) this.#addRoute(methodName, this.#path, handler);
				}
			}
			return this;
		};
		this.use = (arg1, ...handlers) => {
			if (typeof arg1 === "string") this.#path = arg1;
			else {
				this.#path = "*";
				handlers.unshift(arg1);
			}
			handlers.forEach((handler) => {
				this.#addRoute("ALL", this.#path, handler);
			});
			return this;
		};
		const { strict, ...optionsWithoutStrict } = options;
		Object.assign(this, optionsWithoutStrict);
		this.getPath = strict ?? true ? options.getPath ?? getPath : getPathNoStrict;
	}
	#clone() {
		const clone = new Hono({
			router: this.router,
			getPath: this.getPath
		});
		clone.errorHandler = this.errorHandler;
		clone.#notFoundHandler = this.#notFoundHandler;
		clone.routes = this.routes;
		return clone;
	}
	#notFoundHandler = notFoundHandler;
	errorHandler = errorHandler;
	/**
	* `.route()` allows grouping other Hono instance in routes.
	*
	* @see {@link https://hono.dev/docs/api/routing#grouping}
	*
	* @param {string} path - base Path
	* @param {Hono} app - other Hono instance
	* @returns {Hono} routed Hono instance
	*
	* @example
	* ```ts
	* const app = new Hono()
	* const app2 = new Hono()
	*
	* app2.get("/user", (c) => c.text("user"))
	* app.route("/api", app2) // GET /api/user
	* ```
	*/
	route(path, app) {
		const subApp = this.basePath(path);
		app.routes.map((r) => {
			let handler;
			if (app.errorHandler === errorHandler) handler = r.handler;
			else {
				handler = async (c, next) => (await compose([], app.errorHandler)(c, () => r.handler(c, next))).res;
				handler[COMPOSED_HANDLER] = r.handler;
			}
			subApp.#addRoute(r.method, r.path, handler, r.basePath);
		});
		return this;
	}
	/**
	* `.basePath()` allows base paths to be specified.
	*
	* @see {@link https://hono.dev/docs/api/routing#base-path}
	*
	* @param {string} path - base Path
	* @returns {Hono} changed Hono instance
	*
	* @example
	* ```ts
	* const api = new Hono().basePath('/api')
	* ```
	*/
	basePath(path) {
		const subApp = this.#clone();
		subApp._basePath = mergePath(this._basePath, path);
		return subApp;
	}
	/**
	* `.onError()` handles an error and returns a customized Response.
	*
	* @see {@link https://hono.dev/docs/api/hono#error-handling}
	*
	* @param {ErrorHandler} handler - request Handler for error
	* @returns {Hono} changed Hono instance
	*
	* @example
	* ```ts
	* app.onError((err, c) => {
	*   console.error(`${err}`)
	*   return c.text('Custom Error Message', 500)
	* })
	* ```
	*/
	onError = (handler) => {
		this.errorHandler = handler;
		return this;
	};
	/**
	* `.notFound()` allows you to customize a Not Found Response.
	*
	* @see {@link https://hono.dev/docs/api/hono#not-found}
	*
	* @param {NotFoundHandler} handler - request handler for not-found
	* @returns {Hono} changed Hono instance
	*
	* @example
	* ```ts
	* app.notFound((c) => {
	*   return c.text('Custom 404 Message', 404)
	* })
	* ```
	*/
	notFound = (handler) => {
		this.#notFoundHandler = handler;
		return this;
	};
	/**
	* `.mount()` allows you to mount applications built with other frameworks into your Hono application.
	*
	* @deprecated Use `mount()` from `hono/mount` instead. `.mount()` will be removed in v5.
	*
	* @see {@link https://hono.dev/docs/api/hono#mount}
	*
	* @param {string} path - base Path
	* @param {Function} applicationHandler - other Request Handler
	* @param {MountOptions} [options] - options of `.mount()`
	* @returns {Hono} mounted Hono instance
	* @throws {Error} If automatic request rewriting encounters duplicate path parameter names or an optional regular expression parameter.
	* @throws {HTTPException} With status 400 if automatic request rewriting cannot safely preserve the routed path.
	*
	* @example
	* ```ts
	* import { Router as IttyRouter } from 'itty-router'
	* import { Hono } from 'hono'
	* // Create itty-router application
	* const ittyRouter = IttyRouter()
	* // GET /itty-router/hello
	* ittyRouter.get('/hello', () => new Response('Hello from itty-router'))
	*
	* const app = new Hono()
	* app.mount('/itty-router', ittyRouter.handle)
	* ```
	*
	* @example
	* ```ts
	* const app = new Hono()
	* // Send the request to another application without modification.
	* app.mount('/app', anotherApp, {
	*   replaceRequest: (req) => req,
	* })
	* ```
	*/
	mount(path, applicationHandler, options) {
		let replaceRequest;
		let optionHandler;
		if (options) {
			if (typeof options === "function") optionHandler = options;
			else {
				optionHandler = options.optionHandler;
				if (options.replaceRequest === false) replaceRequest = (request) => request;
				else replaceRequest = options.replaceRequest;
			}
		}
		const getOptions = optionHandler ? (c) => {
			const options = optionHandler(c);
			return Array.isArray(options) ? options : [options];
		} : (c) => {
			let executionContext = void 0;
			try {
				executionContext = c.executionCtx;
			} catch {}
			return [c.env, executionContext];
		};
		const defaultReplaceRequest = (c) => {
			const mountedRoutePath = routePath(c);
			return createMountedRequest(c, mountedRoutePath.replace(/\/?\*$/, ""), mountedRoutePath);
		};
		const handler = async (c, next) => {
			const res = await applicationHandler(replaceRequest ? replaceRequest(c.req.raw) : defaultReplaceRequest(c), ...getOptions(c));
			if (res) return res;
			await next();
		};
		this.#addRoute("ALL", mergePath(path, "*"), handler);
		return this;
	}
	#addRoute(method, path, handler, baseRoutePath) {
		path = mergePath(this._basePath, path);
		const r = {
			basePath: baseRoutePath !== void 0 ? mergePath(this._basePath, baseRoutePath) : this._basePath,
			path,
			method,
			handler
		};
		this.router.add(method, path, [handler, r]);
		this.routes.push(r);
	}
	#handleError(err, c) {
		if (err instanceof Error) return this.errorHandler(err, c);
		throw err;
	}
	#dispatch(request, executionCtx, env, method) {
		if (method === "HEAD") return (async () => new Response(null, await this.#dispatch(request, executionCtx, env, "GET")))();
		const path = this.getPath(request, { env });
		const matchResult = this.router.match(method, path);
		const c = new Context(request, {
			path,
			matchResult,
			env,
			executionCtx,
			notFoundHandler: this.#notFoundHandler
		});
		if (matchResult[0].length === 1) {
			let res;
			try {
				res = matchResult[0][0][0][0](c, async () => {
					c.res = await this.#notFoundHandler(c);
				});
			} catch (err) {
				return this.#handleError(err, c);
			}
			return res instanceof Promise ? res.then((resolved) => resolved || (c.finalized ? c.res : this.#notFoundHandler(c))).catch((err) => this.#handleError(err, c)) : res ?? this.#notFoundHandler(c);
		}
		const composed = compose(matchResult[0], this.errorHandler, this.#notFoundHandler);
		return (async () => {
			try {
				const context = await composed(c);
				if (!context.finalized) throw new Error("Context is not finalized. Did you forget to return a Response object or `await next()`?");
				return context.res;
			} catch (err) {
				return this.#handleError(err, c);
			}
		})();
	}
	/**
	* `.fetch()` will be entry point of your app.
	*
	* @see {@link https://hono.dev/docs/api/hono#fetch}
	*
	* @param {Request} request - request Object of request
	* @param {Env} env - env Object
	* @param {ExecutionContext} executionCtx - context of execution
	* @returns {Response | Promise<Response>} response of request
	*
	*/
	fetch = (request, ...rest) => {
		return this.#dispatch(request, rest[1], rest[0], request.method);
	};
	/**
	* `.request()` is a useful method for testing.
	* You can pass a URL or pathname to send a GET request.
	* app will return a Response object.
	* ```ts
	* test('GET /hello is ok', async () => {
	*   const res = await app.request('/hello')
	*   expect(res.status).toBe(200)
	* })
	* ```
	* @see https://hono.dev/docs/api/hono#request
	*/
	request = (input, requestInit, Env, executionCtx) => {
		if (input instanceof Request) return this.fetch(requestInit ? new Request(input, requestInit) : input, Env, executionCtx);
		input = input.toString();
		return this.fetch(new Request(/^https?:\/\//.test(input) ? input : `http://localhost${mergePath("/", input)}`, requestInit), Env, executionCtx);
	};
	/**
	* `.fire()` automatically adds a global fetch event listener.
	* This can be useful for environments that adhere to the Service Worker API, such as non-ES module Cloudflare Workers.
	* @deprecated
	* Use `fire` from `hono/service-worker` instead.
	* ```ts
	* import { Hono } from 'hono'
	* import { fire } from 'hono/service-worker'
	*
	* const app = new Hono()
	* // ...
	* fire(app)
	* ```
	* @see https://hono.dev/docs/api/hono#fire
	* @see https://developer.mozilla.org/en-US/docs/Web/API/Service_Worker_API
	* @see https://developers.cloudflare.com/workers/reference/migrate-to-module-workers/
	*/
	fire = () => {
		addEventListener("fetch", (event) => {
			event.respondWith(this.#dispatch(event.request, event, void 0, event.request.method));
		});
	};
};
// node_modules/hono/dist/router/utils.js
var createNullObject = () => Object.create(null);
// node_modules/hono/dist/router/reg-exp-router/matcher.js
var emptyParam = [];
function match(method, path) {
	const matchers = this.buildAllMatchers();
	const match = ((method, path) => {
		const matcher = matchers[method] || matchers["ALL"];
		const staticMatch = matcher[2][path];
		if (staticMatch) return staticMatch;
		const match = path.match(matcher[0]);
		if (!match) return [[], emptyParam];
		const index = match.indexOf("", 1);
		return [matcher[1][index], match];
	});
	this.match = match;
	return match(method, path);
}
// node_modules/hono/dist/router/reg-exp-router/node.js
var LABEL_REG_EXP_STR = "[^/]+";
var ONLY_WILDCARD_REG_EXP_STR = "[^]*";
var TAIL_WILDCARD_REG_EXP_STR = "(?:|/[^]*)";
var PATH_ERROR = Symbol();
var regExpMetaChars = /* @__PURE__ */ new Set(".\\+*[^]$()");
/**
* Sort order:
* 1. literal
* 2. special pattern (e.g. :label{[0-9]+})
* 3. common label pattern (e.g. :label)
* 4. wildcard
*/
function compareKey(a, b) {
	if (a.length === 1) return b.length === 1 ? a < b ? -1 : 1 : -1;
	if (b.length === 1) return 1;
	if (a === "[^]*" || a === "(?:|/[^]*)") return b === "[^]*" ? -1 : 1;
	else if (b === "[^]*" || b === "(?:|/[^]*)") return -1;
	if (a === "[^/]+") return 1;
	else if (b === "[^/]+") return -1;
	return a.length === b.length ? a < b ? -1 : 1 : b.length - a.length;
}
var Node$1 = class Node {
	#index;
	#varIndex;
	#children = createNullObject();
	insert(tokens, index, paramMap, context, keys) {
		let node = this;
		for (let i = 0, len = tokens.length; i < len; i++) {
			const token = tokens[i];
			const pattern = token.length === 1 ? token === "*" ? i === len - 1 ? [
				"",
				"",
				ONLY_WILDCARD_REG_EXP_STR
			] : [
				"",
				"",
				LABEL_REG_EXP_STR
			] : null : token === "/*" ? [
				"",
				"",
				TAIL_WILDCARD_REG_EXP_STR
			] : token.match(/^\:([^\{\}]+)(?:\{(.+)\})?$/);
			let nextNode;
			if (pattern) {
				const name = pattern[1];
				let regexpStr = pattern[2] || "[^/]+";
				if (name && pattern[2]) {
					if (new RegExp(regexpStr).test("")) throw PATH_ERROR;
					regexpStr = regexpStr.replace(/^\((?!\?:)(?=[^)]+\)$)/, "(?:");
					if (/\((?!\?:)/.test(regexpStr)) throw PATH_ERROR;
					if (regexpStr.length === 1 && regExpMetaChars.has(regexpStr)) throw PATH_ERROR;
				}
				keys.push(regexpStr);
				nextNode = node.#children[regexpStr];
				if (!nextNode) {
					if (regexpStr !== "[^]*" && regexpStr !== "(?:|/[^]*)") {
						for (const k in node.#children) if ((regexpStr.length > 1 || k.length > 1) && k !== "[^]*" && k !== "(?:|/[^]*)") throw PATH_ERROR;
					}
					nextNode = node.#children[regexpStr] = new Node();
				}
				if (name !== "") {
					nextNode.#varIndex ??= context.varIndex++;
					paramMap.push([name, nextNode.#varIndex]);
				}
			} else {
				keys.push(token);
				nextNode = node.#children[token];
				if (!nextNode) {
					for (const k in node.#children) if (k.length > 1 && k !== "[^]*" && k !== "(?:|/[^]*)") throw PATH_ERROR;
					nextNode = node.#children[token] = new Node();
				}
			}
			node = nextNode;
		}
		if (node.#index !== void 0) throw PATH_ERROR;
		node.#index = index;
	}
	buildRegExpStr() {
		const strList = Object.keys(this.#children).sort(compareKey).map((k) => {
			const c = this.#children[k];
			const childStr = c.buildRegExpStr();
			return childStr === "" ? "" : (typeof c.#varIndex === "number" ? `(${k})@${c.#varIndex}` : regExpMetaChars.has(k) ? `\\${k}` : k) + childStr;
		}).filter(Boolean);
		if (typeof this.#index === "number" && this.#index !== -1) strList.unshift(`#${this.#index}`);
		if (strList.length === 0) return "";
		if (strList.length === 1) return strList[0];
		return "(?:" + strList.join("|") + ")";
	}
};
// node_modules/hono/dist/router/reg-exp-router/trie.js
var Trie = class {
	#context = { varIndex: 0 };
	#root = new Node$1();
	#index = 0;
	paths = createNullObject();
	insert(path, isStatic) {
		const keys = [];
		if (isStatic) {
			this.#root.insert(path.split(""), -1, [], this.#context, keys);
			this.paths[path] = [
				-1,
				[],
				keys
			];
			return;
		}
		const paramAssoc = [];
		const groups = [];
		let markedPath = path;
		for (let i = 0;;) {
			let replaced = false;
			markedPath = markedPath.replace(/\{(?:\{[\d,]+\}|[^}])+\}/g, (m) => {
				const mark = `@\\${i}`;
				groups[i] = [mark, m];
				i++;
				replaced = true;
				return mark;
			});
			if (!replaced) break;
		}
		/**
		*  - pattern (:label, :label{0-9]+}, ...)
		*  - /* wildcard
		*  - character
		*/
		const tokens = markedPath.match(/(?::[^\/]+)|(?:\/\*$)|./gs) || [];
		for (let i = groups.length - 1; i >= 0; i--) {
			const [mark] = groups[i];
			for (let j = tokens.length - 1; j >= 0; j--) if (tokens[j].indexOf(mark) !== -1) {
				tokens[j] = tokens[j].replace(mark, groups[i][1]);
				break;
			}
		}
		this.#root.insert(tokens, this.#index, paramAssoc, this.#context, keys);
		this.paths[path] = [
			this.#index++,
			paramAssoc,
			keys
		];
	}
	buildRegExp() {
		let regexp = this.#root.buildRegExpStr();
		if (regexp === "") return [
			/^$/,
			[],
			[]
		];
		let captureIndex = 0;
		const indexReplacementMap = [];
		const paramReplacementMap = [];
		regexp = regexp.replace(/#(\d+)|@(\d+)|\.\*\$/g, (_, handlerIndex, paramIndex) => {
			if (handlerIndex !== void 0) {
				indexReplacementMap[++captureIndex] = Number(handlerIndex);
				return "$()";
			}
			if (paramIndex !== void 0) {
				paramReplacementMap[Number(paramIndex)] = ++captureIndex;
				return "";
			}
			return "";
		});
		return [
			new RegExp(`^${regexp}`),
			indexReplacementMap,
			paramReplacementMap
		];
	}
};
// node_modules/hono/dist/router/reg-exp-router/router.js
function endsWithWildcard(keys) {
	const tail = keys[keys.length - 1];
	return tail === "[^]*" || tail === "(?:|/[^]*)";
}
function covers(wildcard, target) {
	const last = wildcard.length - 1;
	for (let i = 0; i < last; i++) if (wildcard[i] !== target[i]) return false;
	return wildcard[last] === "[^]*" || target.length === last || target[last] === "/";
}
var RegExpRouter = class {
	name = "RegExpRouter";
	#handlers;
	#tries;
	constructor() {
		this.#handlers = { ["ALL"]: [] };
		this.#tries = { ["ALL"]: new Trie() };
	}
	#insertPath(method, path) {
		try {
			this.#tries[method].insert(path, !/\*|\/:/.test(path));
		} catch (e) {
			throw e === PATH_ERROR ? new UnsupportedPathError(path) : e;
		}
	}
	add(method, path, handler) {
		const handlers = this.#handlers;
		if (!handlers) throw new Error(MESSAGE_MATCHER_IS_ALREADY_BUILT);
		const tries = this.#tries;
		if (!handlers[method]) {
			tries[method] = new Trie();
			handlers[method] = [...handlers["ALL"]];
			for (const p in tries["ALL"].paths) this.#insertPath(method, p);
		}
		if (path === "/*") path = "*";
		const methods = method === "ALL" ? Object.keys(handlers) : [method];
		const paths = checkOptionalParameter(path) || [path];
		for (const path of paths) for (const m of methods) {
			if (!tries[m].paths[path]) this.#insertPath(m, path);
			handlers[m].push([handler, path]);
		}
	}
	match = match;
	buildAllMatchers() {
		const matchers = createNullObject();
		for (const method of Object.keys(this.#handlers)) matchers[method] = this.#buildMatcher(method);
		this.#handlers = this.#tries = void 0;
		return matchers;
	}
	#buildMatcher(method) {
		const handlers = this.#handlers[method];
		const trie = this.#tries[method];
		const staticMap = createNullObject();
		const handlerData = [];
		const [regexp, indexReplacementMap, paramReplacementMap] = trie.buildRegExp();
		const own = createNullObject();
		const entries = handlers.map(([h, p], i) => {
			(own[p] ??= []).push(i);
			return [h, trie.paths[p][1].reduceRight((map, [key, varIndex]) => {
				map[key] = paramReplacementMap[varIndex];
				return map;
			}, createNullObject())];
		});
		const wildcards = Object.keys(own).filter((p) => endsWithWildcard(trie.paths[p][2]));
		for (const path in trie.paths) {
			const [index, , keys] = trie.paths[path];
			const indexes = [...own[path]];
			for (const p of wildcards) if (p !== path && covers(trie.paths[p][2], keys)) indexes.push(...own[p]);
			const data = indexes.sort((a, b) => a - b).map((i) => entries[i]);
			if (index === -1) {
				const last = Math.max(-1, ...data.flatMap(([, map]) => Object.values(map)));
				staticMap[path] = [data, last === -1 ? emptyParam : path.match(regexp).slice(0, last + 1)];
			} else handlerData[index] = data;
		}
		return [
			regexp,
			indexReplacementMap.map((i) => handlerData[i]),
			staticMap
		];
	}
};
// node_modules/hono/dist/router/smart-router/router.js
var SmartRouter = class {
	name = "SmartRouter";
	#routers = [];
	#routes = [];
	constructor(init) {
		this.#routers = init.routers;
	}
	add(method, path, handler) {
		if (!this.#routes) throw new Error(MESSAGE_MATCHER_IS_ALREADY_BUILT);
		this.#routes.push([
			method,
			path,
			handler
		]);
	}
	match(method, path) {
		if (!this.#routes) throw new Error("Fatal error");
		const routers = this.#routers;
		const routes = this.#routes;
		const len = routers.length;
		let i = 0;
		let res;
		for (; i < len; i++) {
			const router = routers[i];
			try {
				for (let i = 0, len = routes.length; i < len; i++) router.add(...routes[i]);
				res = router.match(method, path);
			} catch (e) {
				if (e instanceof UnsupportedPathError) continue;
				throw e;
			}
			this.match = router.match.bind(router);
			this.#routers = [router];
			this.#routes = void 0;
			break;
		}
		if (i === len) throw new Error("Fatal error");
		this.name = `SmartRouter + ${this.activeRouter.name}`;
		return res;
	}
	get activeRouter() {
		if (this.#routes || this.#routers.length !== 1) throw new Error("No active router has been determined yet.");
		return this.#routers[0];
	}
};
// node_modules/hono/dist/router/trie-router/node.js
var emptyParams = createNullObject();
var order = 0;
var Node = class Node {
	#methods = [];
	#children = createNullObject();
	#patterns = [];
	#pattern;
	#params = emptyParams;
	insert(method, path, handler) {
		let curNode = this;
		const parts = splitRoutingPath(path);
		const possibleKeys = /* @__PURE__ */ new Set();
		let i = 0;
		for (const p of parts) {
			const nextP = parts[++i];
			const pattern = getPattern(p, nextP) || (nextP === void 0 && p && p.indexOf("*") === p.length - 1 ? p : null);
			const isParam = Array.isArray(pattern);
			const key = isParam ? pattern[0] : pattern || p;
			const child = curNode.#children[key] ||= new Node();
			if (pattern && !child.#pattern) {
				child.#pattern = pattern;
				curNode.#patterns.push(child);
			}
			curNode = child;
			if (isParam) possibleKeys.add(pattern[1]);
		}
		curNode.#methods.push({ [method]: {
			handler,
			possibleKeys: [...possibleKeys],
			score: ++order
		} });
	}
	#pushHandlerSets(handlerSets, node, method, nodeParams, params) {
		for (let i = 0, len = node.#methods.length; i < len; i++) {
			const m = node.#methods[i];
			const handlerSet = m[method] || m["ALL"];
			if (handlerSet) {
				handlerSet.params = createNullObject();
				handlerSets.push(handlerSet);
				for (let i = 0, len = handlerSet.possibleKeys.length; i < len; i++) {
					const key = handlerSet.possibleKeys[i];
					handlerSet.params[key] = params?.[key] && !i ? params[key] : nodeParams[key] ?? params?.[key];
				}
			}
		}
	}
	search(method, path) {
		const handlerSets = [];
		this.#params = emptyParams;
		let curNodes = [this];
		const parts = splitPath(path);
		const curNodesQueue = [];
		const len = parts.length;
		let partOffsets = null;
		for (let i = 0; i < len; i++) {
			const part = parts[i];
			const isLast = i === len - 1;
			const tempNodes = [];
			for (let j = 0, len2 = curNodes.length; j < len2; j++) {
				const node = curNodes[j];
				const nextNode = node.#children[part];
				if (nextNode) {
					nextNode.#params = node.#params;
					if (isLast) {
						if (nextNode.#children["*"]) this.#pushHandlerSets(handlerSets, nextNode.#children["*"], method, node.#params);
						this.#pushHandlerSets(handlerSets, nextNode, method, node.#params);
					} else tempNodes.push(nextNode);
				}
				for (const child of node.#patterns) {
					const pattern = child.#pattern;
					const params = node.#params === emptyParams ? {} : { ...node.#params };
					if (typeof pattern === "string") {
						if (pattern === "*" || part.startsWith(pattern.slice(0, -1))) {
							this.#pushHandlerSets(handlerSets, child, method, node.#params);
							if (pattern === "*") {
								child.#params = params;
								tempNodes.push(child);
							}
						}
						continue;
					}
					const [, name, matcher] = pattern;
					if (!part && matcher === true) continue;
					if (matcher !== true) {
						if (!partOffsets) {
							partOffsets = [];
							let offset = path[0] === "/" ? 1 : 0;
							for (let p = 0; p < len; p++) {
								partOffsets[p] = offset;
								offset += parts[p].length + 1;
							}
						}
						const restPathString = path.slice(partOffsets[i]);
						const m = matcher.exec(restPathString);
						if (m) {
							if (!Object.hasOwn(params, name)) params[name] = m[0];
							this.#pushHandlerSets(handlerSets, child, method, node.#params, params);
							if (m[0].length === restPathString.length && child.#children["*"]) this.#pushHandlerSets(handlerSets, child.#children["*"], method, node.#params, params);
							for (const _ in child.#children) {
								child.#params = params;
								const componentCount = m[0].match(/\//g)?.length ?? 0;
								(curNodesQueue[componentCount] ||= []).push(child);
								break;
							}
							continue;
						}
					}
					if (matcher === true || matcher.test(part)) {
						if (!Object.hasOwn(params, name)) params[name] = part;
						if (isLast) {
							this.#pushHandlerSets(handlerSets, child, method, params, node.#params);
							if (child.#children["*"]) this.#pushHandlerSets(handlerSets, child.#children["*"], method, params, node.#params);
						} else {
							child.#params = params;
							tempNodes.push(child);
						}
					}
				}
			}
			const shifted = curNodesQueue.shift();
			curNodes = shifted ? tempNodes.concat(shifted) : tempNodes;
		}
		if (handlerSets[1]) handlerSets.sort((a, b) => {
			return a.score - b.score;
		});
		return [handlerSets.map(({ handler, params }) => [handler, params])];
	}
};
// node_modules/hono/dist/router/trie-router/router.js
var TrieRouter = class {
	name = "TrieRouter";
	#node = new Node();
	add(method, path, handler) {
		for (const result of checkOptionalParameter(path) || [path]) this.#node.insert(method, result, handler);
	}
	match(method, path) {
		return this.#node.search(method, path);
	}
};
// node_modules/hono/dist/hono.js
/**
* The Hono class extends the functionality of the HonoBase class.
* It sets up routing and allows for custom options to be passed.
*
* @template E - The environment type.
* @template S - The schema type.
* @template BasePath - The base path type.
*/
var Hono = class extends Hono$1 {
	/**
	* Creates an instance of the Hono class.
	*
	* @param options - Optional configuration options for the Hono instance.
	*/
	constructor(options = {}) {
		super(options);
		this.router = options.router ?? new SmartRouter({ routers: [new RegExpRouter(), new TrieRouter()] });
	}
};
// src/config_values.ts
/** `value` as an object with fields, if it is one. */
function recordOf(value) {
	return typeof value === "object" && value !== null && !Array.isArray(value) ? value : void 0;
}
/** A binding that holds JSON: text in most hosts, a value already where a host parses it. */
function jsonOf(env, name, problems) {
	const value = env[name];
	if (typeof value !== "string") return value;
	try {
		return JSON.parse(value);
	} catch {
		problems.push(`${name}: this is not JSON`);
		return;
	}
}
/** A list of texts: a JSON array, or separated by commas. At least one. */
function listOf(env, name, problems) {
	const value = env[name];
	const list = typeof value === "string" && !value.trimStart().startsWith("[") ? value.split(",").map((item) => item.trim()) : jsonOf(env, name, problems);
	const texts = Array.isArray(list) ? list.filter((item) => typeof item === "string" && item !== "") : [];
	if (texts.length === 0) problems.push(`${name}: name at least one`);
	return texts;
}
/** A whole number within limits. */
function numberOf(env, name, { fallback, min, max }, problems) {
	const value = env[name];
	if (value === void 0 || value === null || value === "") return fallback;
	const number = typeof value === "number" || typeof value === "string" ? Number(value) : NaN;
	if (Number.isInteger(number) && number >= min && number <= max) return number;
	problems.push(`${name}: write a whole number from ${min} to ${max}`);
	return fallback;
}
// src/errors.ts
/**
* A request that was refused or failed. `code` is stable snake_case for programs; `message` says to a person what is wrong
* and what to do. It is shown to the page, so nothing in it comes from an upstream or from a key.
*/
var ApiError = class ApiError extends Error {
	status;
	code;
	details;
	name = "ApiError";
	constructor(status, code, message, details = {}) {
		super(message);
		this.status = status;
		this.code = code;
		this.details = details;
	}
	/** What goes out. */
	get body() {
		const { param, retryAfter } = this.details;
		return { error: {
			message: this.message,
			type: kindOf(this.status),
			param: param ?? null,
			code: this.code,
			...retryAfter === void 0 ? {} : { retry_after: retryAfter }
		} };
	}
	/** The error as it stands, or `internal` for anything that was not foreseen; its own text may hold a secret. */
	static from(thrown) {
		if (thrown instanceof ApiError) return thrown;
		return new ApiError(500, "internal", "The worker failed at this request; its log has the request id.");
	}
};
/** OpenAI's `type` for a status. */
function kindOf(status) {
	if (status === 401) return "authentication_error";
	if (status === 403) return "permission_error";
	if (status === 429) return "rate_limit_error";
	return status < 500 ? "invalid_request_error" : "server_error";
}
// src/messages.ts
var ROLES = /* @__PURE__ */ new Set([
	"system",
	"developer",
	"user",
	"assistant",
	"tool"
]);
/**
* The conversation, rebuilt from the fields we know.
*
* @throws {ApiError} 400 `invalid_value`, 422 `unsupported` or `continuation_unsupported`
*/
function messagesOf(value, upstream) {
	if (!Array.isArray(value) || value.length === 0) throw invalid$3("messages", "messages is a list with at least one message.");
	return value.map((item, index) => messageOf(item, `messages[${index}]`, index === value.length - 1, upstream));
}
function messageOf(value, param, isLast, upstream) {
	const message = recordOf(value);
	const role = message?.role;
	if (message === void 0 || typeof role !== "string" || !ROLES.has(role)) throw invalid$3(param, `A message has a role: ${[...ROLES].join(", ")}.`);
	const rebuilt = {
		role,
		content: contentOf(message.content, param)
	};
	if (typeof message.name === "string") rebuilt.name = message.name;
	if (role === "assistant" && Array.isArray(message.tool_calls)) rebuilt.tool_calls = message.tool_calls;
	if (role === "tool" && typeof message.tool_call_id === "string") rebuilt.tool_call_id = message.tool_call_id;
	if (message.prefix === true) {
		if (!isLast || role !== "assistant") throw invalid$3(`${param}.prefix`, "Only the last message, of the assistant, can be continued.");
		if (!upstream.prefix) throw new ApiError(422, "continuation_unsupported", "This model cannot go on with a message.", { param: `${param}.prefix` });
		rebuilt.prefix = true;
	}
	return rebuilt;
}
/** Text, a list of text parts, or null beside tool calls. */
function contentOf(content, param) {
	if (content === void 0 || content === null) return null;
	if (typeof content === "string") return content;
	if (!Array.isArray(content)) throw invalid$3(`${param}.content`, "content is text or a list of parts.");
	return content.map((item) => {
		const part = recordOf(item);
		if (part?.type === "text" && typeof part.text === "string") return {
			type: "text",
			text: part.text
		};
		throw new ApiError(422, "unsupported", "The only parts passed on are those of type text.", { param: `${param}.content` });
	});
}
var invalid$3 = (param, message) => new ApiError(400, "invalid_value", message, { param });
// src/admission.ts
var isNumber = (value) => typeof value === "number";
var isInteger = (value) => Number.isSafeInteger(value);
var isBoolean = (value) => typeof value === "boolean";
var isText = (value) => typeof value === "string";
var isTextList = (value) => Array.isArray(value) && value.every(isText);
var isObject$1 = (value) => recordOf(value) !== void 0;
var either = (...checks) => (value) => checks.some((check) => check(value));
/** Fields that go upstream as they are. Their ranges are the upstream's business; everything else stays here. */
var PASSED = {
	temperature: isNumber,
	top_p: isNumber,
	top_k: isInteger,
	min_p: isNumber,
	seed: isInteger,
	frequency_penalty: isNumber,
	presence_penalty: isNumber,
	repetition_penalty: isNumber,
	logit_bias: isObject$1,
	logprobs: isBoolean,
	top_logprobs: isInteger,
	stop: either(isText, isTextList),
	response_format: isObject$1,
	reasoning_effort: isText,
	tools: Array.isArray,
	tool_choice: either(isText, isObject$1),
	parallel_tool_calls: isBoolean
};
/** Fields of our `inshore` object that a host of ours needs; the rest (label, mode, conversation) is the page's business. */
var PASSED_TO_OUR_HOST = {
	continue_ids: (value) => Array.isArray(value) && value.every((id) => Number.isSafeInteger(id) && id >= 0),
	model_sha256: (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value),
	ids: isBoolean,
	deadline_ms: isNumber
};
/**
* Checks a chat-completions body and rebuilds it for its upstream: allowed model under the upstream's name, one answer,
* capped length, known fields only.
*
* @throws {ApiError} 400 `invalid_value`, 403 `privacy_local_only`, 404 `model_not_found`, 422 `unsupported` or
*   `continuation_unsupported`
*/
function admit(json, config) {
	const fields = recordOf(json);
	if (fields === void 0) throw new ApiError(400, "invalid_body", "The body is no JSON object.");
	const { model, route } = routeOf$1(fields.model, config);
	const { upstream } = route;
	const stream = optional(fields, "stream", isBoolean) === true;
	if ((optional(fields, "n", isInteger) ?? 1) !== 1) throw new ApiError(422, "unsupported", "One answer a request is what there is; set n to 1.", { param: "n" });
	const body = {
		model: route.model,
		messages: messagesOf(fields.messages, upstream),
		stream,
		[upstream.maxTokensField]: maxTokensOf(fields, config.maxTokens),
		...picked(fields, PASSED)
	};
	if (stream && recordOf(fields.stream_options)?.include_usage === true) body.stream_options = { include_usage: true };
	const extension = extensionOf(fields.inshore, upstream.inshore);
	if (extension !== void 0) body.inshore = extension;
	return {
		route,
		model,
		stream,
		body
	};
}
function routeOf$1(name, config) {
	if (typeof name !== "string") throw invalid$2("model", "Name a model; GET /v1/models lists them.");
	const route = config.models.get(name);
	if (route !== void 0) return {
		model: name,
		route
	};
	throw new ApiError(404, "model_not_found", "There is no such model here; GET /v1/models lists what there is.", { param: "model" });
}
/** OpenAI has two names for the limit; the newer one counts. More than the cap is the cap, and so is none. */
function maxTokensOf(fields, cap) {
	for (const field of ["max_completion_tokens", "max_tokens"]) {
		const value = optional(fields, field, isInteger);
		if (value === void 0) continue;
		if (value < 1) throw invalid$2(field, `${field} must be at least 1.`);
		return Math.min(value, cap);
	}
	return cap;
}
function extensionOf(value, isOurHost) {
	const extension = recordOf(value);
	if (extension === void 0) return void 0;
	if (extension.privacy === "local_only" || extension.mode === "only_on_device") throw new ApiError(403, "privacy_local_only", "This request is for the device only; it was not passed on.", { param: "inshore" });
	if (isOurHost) {
		const passed = picked(extension, PASSED_TO_OUR_HOST, "inshore.");
		return Object.keys(passed).length > 0 ? passed : void 0;
	}
	if (extension.continue_ids !== void 0 && extension.continue_ids !== null) throw new ApiError(422, "continuation_unsupported", "This model cannot go on from token ids.", { param: "inshore.continue_ids" });
}
function picked(fields, checks, prefix = "") {
	const result = {};
	for (const [name, check] of Object.entries(checks)) {
		const value = optional(fields, name, check, prefix);
		if (value !== void 0) result[name] = value;
	}
	return result;
}
/** A field's value; undefined if it is missing or null, which mean the same to OpenAI. */
function optional(fields, name, check, prefix = "") {
	const value = Object.hasOwn(fields, name) ? fields[name] ?? void 0 : void 0;
	if (value === void 0 || check(value)) return value;
	throw invalid$2(prefix + name, `${prefix}${name} has a value of the wrong kind.`);
}
var invalid$2 = (param, message) => new ApiError(400, "invalid_value", message, { param });
// src/answer_watch.ts
/** Follows an answer, streamed or whole, to know whether it is complete and how many tokens it has. */
var AnswerWatch = class {
	counts = {
		events: 0,
		promptTokens: void 0,
		completionTokens: void 0
	};
	/** A `finish_reason` or `[DONE]` was seen: what comes after may be missing. */
	finished = false;
	/** Takes an event's data. */
	event(data) {
		if (data === "[DONE]") {
			this.finished = true;
			return "done";
		}
		const chunk = parsed(data);
		if (chunk === void 0) return "garbage";
		if (chunk.error !== void 0 && chunk.error !== null) return "error";
		if (!this.whole(chunk)) return "garbage";
		this.counts.events += 1;
		return "chunk";
	}
	/** Takes a completion or a chunk of one. Returns whether it is one. */
	whole(completion) {
		if (!Array.isArray(completion.choices)) return false;
		if (typeof recordOf(completion.choices[0])?.finish_reason === "string") this.finished = true;
		const usage = recordOf(completion.usage);
		if (usage !== void 0) {
			this.counts.promptTokens = count(usage.prompt_tokens);
			this.counts.completionTokens = count(usage.completion_tokens);
		}
		return true;
	}
};
function parsed(data) {
	try {
		return recordOf(JSON.parse(data));
	} catch {
		return;
	}
}
/** Only a number gets into the log. */
var count = (value) => Number.isSafeInteger(value) ? value : void 0;
// src/body.ts
/**
* Reads a JSON body of at most `maxBytes`. It counts what comes in and stops there: `Content-Length` may be missing or a
* lie.
*
* @throws {ApiError} 413 `body_too_large`, 415 `not_json`, 400 `invalid_body`
*/
async function readJson(request, maxBytes) {
	const type = request.headers.get("content-type") ?? "";
	if (!/^application\/json *(;|$)/i.test(type)) throw new ApiError(415, "not_json", "Send the body as `Content-Type: application/json`.");
	const text = await readText(request, maxBytes);
	try {
		return JSON.parse(text);
	} catch {
		throw invalidBody();
	}
}
async function readText(request, maxBytes) {
	const tooLarge = () => new ApiError(413, "body_too_large", `The body may have at most ${maxBytes} bytes.`);
	if (Number(request.headers.get("content-length")) > maxBytes) throw tooLarge();
	const decoder = new TextDecoder("utf-8", { fatal: true });
	const decode = (bytes) => {
		try {
			return decoder.decode(bytes, { stream: bytes !== void 0 });
		} catch {
			throw invalidBody();
		}
	};
	let text = "";
	let bytesRead = 0;
	const reader = request.body?.getReader();
	for (;;) {
		const part = await reader?.read();
		if (part === void 0 || part.done) return text + decode();
		bytesRead += part.value.byteLength;
		if (bytesRead > maxBytes) {
			reader?.cancel().catch(() => {});
			throw tooLarge();
		}
		text += decode(part.value);
	}
}
var invalidBody = () => new ApiError(400, "invalid_body", "The body is not JSON in UTF-8.");
// src/quiet.ts
/** Nothing happened in the time given. */
var QUIET = Symbol("quiet");
/** What `work` comes to, or {@link QUIET} if that takes longer than `waitMs`; the work goes on. */
async function settled(work, waitMs) {
	let timer;
	const quiet = new Promise((resolve) => {
		timer = setTimeout(() => resolve(QUIET), waitMs);
	});
	try {
		return await Promise.race([work, quiet]);
	} finally {
		clearTimeout(timer);
	}
}
// src/sse.ts
/** A line or an event larger than this is no answer of a model. */
var MAX_EVENT_CHARS = 1048576;
/** An event stream that cannot be read. */
var SseError = class extends Error {
	name = "SseError";
};
/**
* Splits an event stream into the data of its events, as the HTML standard says: lines end with CR, LF or both, an event
* with an empty line; several data lines are joined. Names, ids and comments are dropped: chat completions have none.
*/
var SseSplitter = class {
	#decoder = new TextDecoder();
	/** The line that has not ended yet. */
	#line = "";
	#data = [];
	#dataChars = 0;
	#endedWithCr = false;
	/**
	* The data of the events that end in these bytes.
	*
	* @throws {SseError} if an event grows too large
	*/
	push(bytes) {
		let text = this.#decoder.decode(bytes, { stream: true });
		if (text === "") return [];
		if (this.#endedWithCr && text.startsWith("\n")) text = text.slice(1);
		this.#endedWithCr = text.endsWith("\r") || text === "" && this.#endedWithCr;
		const lines = text.split(/\r\n|\r|\n/);
		const unfinished = lines.pop() ?? "";
		const events = [];
		for (const end of lines) {
			const event = this.#endLine(this.#line + end);
			this.#line = "";
			if (event !== void 0) events.push(event);
		}
		this.#line += unfinished;
		if (this.#line.length + this.#dataChars > MAX_EVENT_CHARS) throw new SseError("an event is too large");
		return events;
	}
	/** Takes a whole line; returns the event's data if the line ends one. */
	#endLine(line) {
		if (line === "") {
			const data = this.#data.length > 0 ? this.#data.join("\n") : void 0;
			this.#data = [];
			this.#dataChars = 0;
			return data;
		}
		const value = /^data(?:: ?(.*))?$/s.exec(line);
		if (value !== null) {
			this.#data.push(value[1] ?? "");
			this.#dataChars += line.length;
		}
	}
};
/** An event with this data. */
function sseEvent(data) {
	return `${data.split("\n").map((line) => `data: ${line}\n`).join("")}\n`;
}
// src/relay.ts
/** After `[DONE]` the upstream has this long to close, so that its connection can serve again. */
var DRAIN_MS = 250;
/** The stream for the client. Each event goes on the moment it is whole; the client's cancel goes upstream. */
function relay(options) {
	const run = new Relay(options);
	return new ReadableStream({
		pull: (controller) => run.pull(controller),
		cancel: () => run.cancel()
	}, { highWaterMark: 0 });
}
var Relay = class {
	#options;
	#watch = new AnswerWatch();
	#splitter = new SseSplitter();
	#encoder = new TextEncoder();
	#body;
	/** `[DONE]` was passed on. */
	#isDone = false;
	#hasEnded = false;
	constructor(options) {
		this.#options = options;
		options.source.catch(() => {});
	}
	async pull(controller) {
		const text = await this.#next();
		if (text !== "") controller.enqueue(this.#encoder.encode(text));
		if (this.#hasEnded) controller.close();
	}
	cancel() {
		this.#options.abort.abort();
		this.#end("aborted");
	}
	/** The next text for the client; with `#hasEnded`, the last. */
	async #next() {
		try {
			for (;;) {
				const bytes = await this.#read();
				if (this.#isDone) return this.#close(bytes === void 0);
				if (bytes === QUIET) return ":\n\n";
				if (bytes === void 0) return this.#endOfBody();
				const text = this.#translate(bytes);
				if (text !== "") return text;
			}
		} catch (thrown) {
			return this.#fail(thrown);
		}
	}
	async #read() {
		const quietMs = this.#options.heartbeatMs === 0 ? Number.POSITIVE_INFINITY : this.#options.heartbeatMs;
		if (this.#body === void 0) {
			const body = await settled(this.#options.source, quietMs);
			if (body === QUIET) return QUIET;
			this.#body = body;
		}
		return this.#body.next(this.#isDone ? DRAIN_MS : quietMs);
	}
	/** The events that are whole now, for the client. */
	#translate(bytes) {
		let text = "";
		for (const data of this.#splitter.push(bytes)) switch (this.#watch.event(data)) {
			case "chunk":
				text += sseEvent(redacted(data, this.#options.key));
				break;
			case "done":
				this.#isDone = true;
				return text + sseEvent(data);
			case "error": return text + this.#fail(new ApiError(502, "upstream_error", "The model failed in its answer."));
			case "garbage": return text + this.#fail(garbage());
		}
		return text;
	}
	#endOfBody() {
		if (this.#watch.finished) return this.#close(true);
		return this.#fail(new ApiError(502, "upstream_truncated", "The answer ended before it was complete."));
	}
	/** The end after a complete answer. */
	#close(upstreamHasClosed) {
		if (!upstreamHasClosed) this.#body?.drop();
		this.#end("complete");
		return "";
	}
	/** An error event and no `[DONE]`: what was cut must not look complete. */
	#fail(thrown) {
		this.#options.abort.abort();
		if (this.#watch.finished) return this.#close(false);
		const error = thrown instanceof SseError ? garbage() : ApiError.from(thrown);
		this.#end(error.code);
		return sseEvent(JSON.stringify(error.body));
	}
	#end(outcome) {
		if (this.#hasEnded) return;
		this.#hasEnded = true;
		this.#options.onEnd(outcome, this.#watch);
	}
};
/** The text without the key, should an upstream echo it. */
function redacted(text, key) {
	return key === void 0 ? text : text.replaceAll(key, "[redacted]");
}
var garbage = () => new ApiError(502, "upstream_garbage", "The model sent something that is no answer of this protocol.");
// src/upstream_body.ts
/** The body of an upstream's answer, read part by part; an upstream that falls silent is given up. */
var UpstreamBody = class {
	idleTimeoutMs;
	abort;
	#reader;
	/** A read that was not over when the caller stopped waiting for it. */
	#pending;
	#lastPartMs = Date.now();
	constructor(response, idleTimeoutMs, abort) {
		this.idleTimeoutMs = idleTimeoutMs;
		this.abort = abort;
		this.#reader = response.body?.getReader();
	}
	/**
	* The next bytes; undefined at the end; {@link QUIET} if there are none within `waitMs`.
	*
	* @throws {ApiError} `upstream_timeout`, `upstream_broken`
	*/
	async next(waitMs = Number.POSITIVE_INFINITY) {
		if (this.#reader === void 0) return void 0;
		const idleLeftMs = Math.max(0, this.#lastPartMs + this.idleTimeoutMs - Date.now());
		this.#pending ??= this.#reader.read();
		let part;
		try {
			part = await settled(this.#pending, Math.min(waitMs, idleLeftMs));
		} catch {
			throw new ApiError(502, "upstream_broken", "The model broke off in the middle of its answer.");
		}
		if (part === QUIET) {
			if (waitMs < idleLeftMs) return QUIET;
			this.drop();
			throw timeout("fell silent in the middle of its answer");
		}
		this.#pending = void 0;
		this.#lastPartMs = Date.now();
		return part.value;
	}
	/**
	* The rest, as text.
	*
	* @throws {ApiError} `upstream_garbage` if there is more than that; and what {@link next} throws
	*/
	async text(maxBytes) {
		const decoder = new TextDecoder();
		let text = "";
		for (let bytesRead = 0;;) {
			const bytes = await this.next();
			if (bytes === void 0 || bytes === QUIET) return text + decoder.decode();
			bytesRead += bytes.byteLength;
			if (bytesRead > maxBytes) {
				this.drop();
				throw new ApiError(502, "upstream_garbage", "The model sent more than an answer can be.");
			}
			text += decoder.decode(bytes, { stream: true });
		}
	}
	/** Closes the connection: nothing more is wanted of this upstream. */
	drop() {
		this.abort.abort();
		this.#pending?.catch(() => {});
	}
};
/** The upstream was silent for too long. */
var timeout = (what) => new ApiError(504, "upstream_timeout", `The model behind this worker ${what}.`);
// src/upstream.ts
/** As much of an upstream's refusal is read, for its code. */
var MAX_REFUSAL_BYTES = 16384;
/** Codes of an upstream's refusal that tell the page what to do; no other text of an upstream's is passed on. */
var PASSED_CODES = /* @__PURE__ */ new Set([
	"context_length_exceeded",
	"model_mismatch",
	"invalid_value",
	"unsupported"
]);
/**
* Sends a request upstream and waits for a good status. Only headers named here go out, and the key only to its own
* address: redirects are not followed.
*
* @returns the answer's body, which is still to be read
* @throws {ApiError} `upstream_timeout`, `upstream_unreachable`, `upstream_garbage`, or what {@link refusalOf} makes of the
*   status
*/
async function callUpstream(request, timeouts, requestId, abort) {
	const { upstream } = request.route;
	let response;
	try {
		response = await settled(fetch(`${upstream.baseUrl}/chat/completions`, {
			method: "POST",
			headers: headersFor(upstream, request.stream, requestId),
			body: JSON.stringify(request.body),
			redirect: "manual",
			signal: abort.signal
		}), timeouts.firstByteTimeoutMs);
	} catch {
		throw new ApiError(502, "upstream_unreachable", "The model behind this worker cannot be reached.");
	}
	if (response === QUIET) {
		abort.abort();
		throw timeout("did not answer in time");
	}
	const body = new UpstreamBody(response, timeouts.idleTimeoutMs, abort);
	if (response.status !== 200) throw await refusalOf$1(response, body);
	if (!(response.headers.get("content-type") ?? "").startsWith(mediaType(request.stream))) {
		abort.abort();
		throw new ApiError(502, "upstream_garbage", "The model answered in a form that is none of this protocol.");
	}
	return body;
}
var mediaType = (stream) => stream ? "text/event-stream" : "application/json";
function headersFor(upstream, stream, requestId) {
	return {
		"content-type": "application/json",
		accept: mediaType(stream),
		"accept-encoding": "identity",
		"user-agent": "inshore-worker",
		"x-request-id": requestId,
		...upstream.key === void 0 ? {} : { authorization: `Bearer ${upstream.key}` }
	};
}
/** The refusal in our own words. */
async function refusalOf$1(response, body) {
	const { status } = response;
	const code = status === 400 || status === 409 || status === 422 ? await codeOf(body) : void 0;
	body.drop();
	const retryAfter = retryAfterOf(response.headers.get("retry-after"));
	const refusal = (outStatus, name, message) => new UpstreamRefusal(outStatus, name, message, { retryAfter }, status);
	switch (status) {
		case 400:
		case 409:
		case 422: return refusal(status, code ?? "upstream_rejected", "The model refused this request.");
		case 401:
		case 403: return refusal(502, "upstream_auth", "The model's endpoint does not accept this worker; tell its operator.");
		case 402: return refusal(502, "upstream_quota", "The operator's account at the model's endpoint is used up.");
		case 404: return refusal(502, "upstream_model_missing", "The model's endpoint does not know the model; tell the operator.");
		case 413: return refusal(413, "upstream_rejected", "The request is too large for the model.");
		case 429: return refusal(429, "upstream_rate_limited", "The model has too much to do; try again later.");
		case 503: return refusal(503, "upstream_unavailable", "The model is not available right now; try again later.");
		default: return refusal(502, "upstream_error", "The model failed at this request.");
	}
}
/** A refusal, with the upstream's status for the log. */
var UpstreamRefusal = class extends ApiError {
	upstreamStatus;
	constructor(status, code, message, details, upstreamStatus) {
		super(status, code, message, details);
		this.upstreamStatus = upstreamStatus;
	}
};
/** The refusal's code, if it is one that may be passed on. */
async function codeOf(body) {
	try {
		const code = recordOf(recordOf(JSON.parse(await body.text(MAX_REFUSAL_BYTES)))?.error)?.code;
		return typeof code === "string" && PASSED_CODES.has(code) ? code : void 0;
	} catch {
		return;
	}
}
/** `Retry-After` in one of its two forms, or undefined; never text of the upstream's. */
function retryAfterOf(value) {
	if (value === null) return void 0;
	if (/^\d{1,9}$/.test(value)) return value;
	const time = Date.parse(value);
	return Number.isNaN(time) ? void 0 : new Date(time).toUTCString();
}
// src/chat.ts
/** An answer in one piece is no longer than this. */
var MAX_ANSWER_BYTES = 8388608;
/**
* `POST /v1/chat/completions`: spends the token, checks the body, asks the upstream, passes the answer on.
*
* @throws {ApiError} as long as no answer has begun; after that an error is an event of the stream
*/
async function chat(request, config, tokens, record) {
	await tokens.spend(request.headers);
	const admitted = admit(await readJson(request, config.maxBodyBytes), config);
	record.add({
		model: admitted.model,
		upstream: admitted.route.upstream.name,
		stream: admitted.stream
	});
	const abort = new AbortController();
	const leave = () => abort.abort();
	request.signal.addEventListener("abort", leave, { once: true });
	if (request.signal.aborted) leave();
	const answer = callUpstream(admitted, config, record.requestId, abort);
	try {
		return admitted.stream ? await streamed(answer, admitted, config, abort, record) : await whole(await answer, admitted, record);
	} catch (thrown) {
		if (request.signal.aborted) throw new ApiError(499, "aborted", "The client has gone away.");
		throw thrown;
	}
}
async function streamed(answer, admitted, config, abort, record) {
	if (config.earlyStreamMs > 0) await settled(answer, config.earlyStreamMs);
	else await answer;
	record.answerLater();
	const body = relay({
		source: answer,
		key: admitted.route.upstream.key,
		heartbeatMs: config.heartbeatMs,
		abort,
		onEnd: (outcome, watch) => record.end(200, outcome, watch.counts)
	});
	return new Response(body, { headers: {
		"content-type": "text/event-stream",
		"x-accel-buffering": "no"
	} });
}
async function whole(body, admitted, record) {
	const text = redacted(await body.text(MAX_ANSWER_BYTES), admitted.route.upstream.key);
	const watch = new AnswerWatch();
	switch (watch.event(text)) {
		case "chunk":
			if (!watch.finished) throw new ApiError(502, "upstream_truncated", "The answer ended before it was complete.");
			record.count(watch.counts);
			return new Response(text, { headers: { "content-type": "application/json" } });
		case "error": throw new ApiError(502, "upstream_error", "The model failed at this request.");
		default: throw new ApiError(502, "upstream_garbage", "The model sent something that is no answer of this protocol.");
	}
}
// src/headers.ts
/** On every answer: nothing is cached, sniffed, framed or embedded. */
var ALWAYS = {
	"cache-control": "no-store",
	"content-security-policy": "default-src 'none'; frame-ancestors 'none'",
	"cross-origin-resource-policy": "same-origin",
	"referrer-policy": "no-referrer",
	"x-content-type-options": "nosniff",
	vary: "Origin"
};
/** How long a browser may remember the answer to a preflight. */
var PREFLIGHT_MAX_AGE_S = "600";
/**
* The headers of an answer to a page of `origin`. An allowed origin is echoed, exactly; any other gets no permission. There
* is no permission for cookies: nothing here reads them.
*/
function answerHeaders(origin, allowed, requestId) {
	const headers = {
		...ALWAYS,
		"x-request-id": requestId
	};
	if (origin !== null && allowed.has(origin)) {
		headers["access-control-allow-origin"] = origin;
		headers["access-control-expose-headers"] = "retry-after, x-request-id";
	}
	return headers;
}
/** What a preflight of an allowed origin is told besides. */
var PREFLIGHT_HEADERS = {
	"access-control-allow-methods": "GET, POST",
	"access-control-allow-headers": "authorization, content-type",
	"access-control-max-age": PREFLIGHT_MAX_AGE_S
};
// src/log.ts
/** One JSON object a line, on standard output or wherever the host collects it. */
var consoleLog = (entry) => {
	console.log(JSON.stringify({
		time: (/* @__PURE__ */ new Date()).toISOString(),
		...entry
	}));
};
/** One request in the log: one line, written when the answer is over. */
var RequestRecord = class {
	route;
	log;
	requestId = crypto.randomUUID();
	#startMs = Date.now();
	#fields = {};
	#isLater = false;
	#hasEnded = false;
	/** @param route method and path, both ones of ours */
	constructor(route, log) {
		this.route = route;
		this.log = log;
	}
	add(fields) {
		Object.assign(this.#fields, fields);
	}
	/** The tokens of an answer; `events` is near their number where no usage was asked for. */
	count(counts) {
		const { events, promptTokens, completionTokens } = counts;
		Object.assign(this.#fields, {
			events,
			prompt_tokens: promptTokens,
			completion_tokens: completionTokens
		});
	}
	/** The response goes out now; whoever writes its body calls {@link end}. */
	answerLater() {
		this.add({});
		this.#fields.begun_ms = Date.now() - this.#startMs;
		this.#isLater = true;
	}
	/** The handler is through: the end, unless the body is still being written. */
	handled(status, outcome) {
		if (!this.#isLater) this.end(status, outcome);
	}
	/** @param outcome `complete`, `aborted`, or an error's code */
	end(status, outcome, counts) {
		if (this.#hasEnded) return;
		this.#hasEnded = true;
		if (counts !== void 0) this.count(counts);
		const totalMs = Date.now() - this.#startMs;
		this.log({
			request_id: this.requestId,
			route: this.route,
			status,
			outcome,
			...this.#fields,
			total_ms: totalMs
		});
	}
};
// src/rate_limit.ts
var WINDOW_MS = 6e4;
/** Clients remembered at once; beyond this the oldest window is forgotten. */
var MAX_CLIENTS = 1e4;
/** Counts requests of each client in windows of a minute, in the memory of one isolate: a modest brake, not a wall. */
var RateLimit = class {
	perMinute;
	nowMs;
	#windows = /* @__PURE__ */ new Map();
	constructor(perMinute, nowMs = Date.now) {
		this.perMinute = perMinute;
		this.nowMs = nowMs;
	}
	/** Counts one request. Returns the seconds to wait if it is one too many, else undefined. */
	take(client) {
		if (this.perMinute === 0) return void 0;
		const now = this.nowMs();
		let window = this.#windows.get(client);
		if (window === void 0 || now - window.startMs >= WINDOW_MS) {
			window = {
				startMs: now,
				count: 0
			};
			this.#windows.delete(client);
			this.#windows.set(client, window);
			this.#forgetOldest();
		}
		window.count += 1;
		if (window.count <= this.perMinute) return void 0;
		return Math.max(1, Math.ceil((window.startMs + WINDOW_MS - now) / 1e3));
	}
	#forgetOldest() {
		if (this.#windows.size <= MAX_CLIENTS) return;
		for (const client of this.#windows.keys()) {
			this.#windows.delete(client);
			return;
		}
	}
};
// src/single_use.ts
/** In the memory of one process: enough where one process serves all, as on Node or a single workerd. */
var MemorySingleUse = class {
	nowS;
	#expiryById = /* @__PURE__ */ new Map();
	constructor(nowS = () => Date.now() / 1e3) {
		this.nowS = nowS;
	}
	/** Entries held now. */
	get size() {
		return this.#expiryById.size;
	}
	async spend(id, expiresAtS) {
		this.#forgetExpired();
		if (this.#expiryById.has(id)) return false;
		this.#expiryById.set(id, expiresAtS);
		return true;
	}
	#forgetExpired() {
		const now = this.nowS();
		for (const [id, expiresAtS] of this.#expiryById) {
			if (expiresAtS > now) return;
			this.#expiryById.delete(id);
		}
	}
};
/** In Durable Objects (`used_tokens.ts`): strongly consistent, however many isolates the host runs. */
var DurableSingleUse = class {
	namespace;
	constructor(namespace) {
		this.namespace = namespace;
	}
	async spend(id, expiresAtS) {
		const response = await this.namespace.get(this.namespace.idFromName(id.slice(0, 2))).fetch("https://used-tokens/", {
			method: "POST",
			body: JSON.stringify({
				id,
				expiresAtS
			})
		});
		if (response.status === 204) return true;
		if (response.status === 409) return false;
		throw new Error(`the object of used tokens answered ${response.status}`);
	}
};
// node_modules/jose/dist/webapi/lib/buffer_utils.js
var encoder = new TextEncoder();
var decoder = new TextDecoder();
var strictDecoder = new TextDecoder("utf-8", { fatal: !0 });
function concat(...buffers) {
	const size = buffers.reduce((acc, { length }) => acc + length, 0), buf = new Uint8Array(size);
	let i = 0;
	for (const buffer of buffers) buf.set(buffer, i), i += buffer.length;
	return buf;
}
var NON_ASCII = /[^\x00-\x7f]/;
function encode$1(string) {
	if (typeof string == "string" && string.length >= 128) {
		if (NON_ASCII.test(string)) throw new TypeError("non-ASCII string encountered in encode()");
		return encoder.encode(string);
	}
	const bytes = new Uint8Array(string.length);
	for (let i = 0; i < string.length; i++) {
		const code = string.charCodeAt(i);
		if (code > 127) throw new TypeError("non-ASCII string encountered in encode()");
		bytes[i] = code;
	}
	return bytes;
}
function encodeBase64(input, url = !1) {
	if (Uint8Array.prototype.toBase64) return input.toBase64({
		alphabet: url ? "base64url" : "base64",
		omitPadding: url
	});
	const CHUNK_SIZE = 32768, arr = [];
	for (let i = 0; i < input.length; i += CHUNK_SIZE) arr.push(String.fromCharCode.apply(null, input.subarray(i, i + CHUNK_SIZE)));
	const encoded = btoa(arr.join(""));
	return url ? encoded.replace(/=/g, "").replace(/\+/g, "-").replace(/\//g, "_") : encoded;
}
function decodeBase64(encoded, url = !1) {
	if (Uint8Array.fromBase64) return Uint8Array.fromBase64(encoded, { alphabet: url ? "base64url" : "base64" });
	if (url) {
		if (encoded.includes("+") || encoded.includes("/")) throw new TypeError("Invalid base64url");
		encoded = encoded.replace(/-/g, "+").replace(/_/g, "/");
	}
	const binary = atob(encoded), bytes = new Uint8Array(binary.length);
	for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
	return bytes;
}
// node_modules/jose/dist/webapi/util/errors.js
var JOSEError = class extends Error {
	static code = "ERR_JOSE_GENERIC";
	code = "ERR_JOSE_GENERIC";
	constructor(message, options) {
		super(message, options), this.name = this.constructor.name, Error.captureStackTrace?.(this, this.constructor);
	}
};
var JWTClaimValidationFailed = class extends JOSEError {
	static code = "ERR_JWT_CLAIM_VALIDATION_FAILED";
	code = "ERR_JWT_CLAIM_VALIDATION_FAILED";
	claim;
	reason;
	payload;
	constructor(message, payload, claim = "unspecified", reason = "unspecified") {
		super(message, { cause: {
			claim,
			reason,
			payload
		} }), this.claim = claim, this.reason = reason, this.payload = payload;
	}
};
var JWTExpired = class extends JOSEError {
	static code = "ERR_JWT_EXPIRED";
	code = "ERR_JWT_EXPIRED";
	claim;
	reason;
	payload;
	constructor(message, payload, claim = "unspecified", reason = "unspecified") {
		super(message, { cause: {
			claim,
			reason,
			payload
		} }), this.claim = claim, this.reason = reason, this.payload = payload;
	}
};
var JOSEAlgNotAllowed = class extends JOSEError {
	static code = "ERR_JOSE_ALG_NOT_ALLOWED";
	code = "ERR_JOSE_ALG_NOT_ALLOWED";
};
var JOSENotSupported = class extends JOSEError {
	static code = "ERR_JOSE_NOT_SUPPORTED";
	code = "ERR_JOSE_NOT_SUPPORTED";
};
var JWSInvalid = class extends JOSEError {
	static code = "ERR_JWS_INVALID";
	code = "ERR_JWS_INVALID";
};
var JWTInvalid = class extends JOSEError {
	static code = "ERR_JWT_INVALID";
	code = "ERR_JWT_INVALID";
};
var JWSSignatureVerificationFailed = class extends JOSEError {
	static code = "ERR_JWS_SIGNATURE_VERIFICATION_FAILED";
	code = "ERR_JWS_SIGNATURE_VERIFICATION_FAILED";
	constructor(message = "signature verification failed", options) {
		super(message, options);
	}
};
// node_modules/jose/dist/webapi/util/base64url.js
var invalid$1 = "The input to be decoded is not correctly encoded.";
function decode(input) {
	try {
		return decodeBase64(typeof input == "string" ? input : decoder.decode(input), !0);
	} catch (cause) {
		throw new TypeError(invalid$1, { cause });
	}
}
function encode(input) {
	return encodeBase64(typeof input == "string" ? encoder.encode(input) : input, !0);
}
// node_modules/jose/dist/webapi/lib/validate.js
function isObject(input) {
	if (typeof input != "object" || input === null || Object.prototype.toString.call(input) !== "[object Object]") return !1;
	const prototype = Object.getPrototypeOf(input);
	return prototype === null || Object.getPrototypeOf(prototype) === null;
}
function isDisjoint(...headers) {
	const parameters = /* @__PURE__ */ new Set();
	for (const header of headers) if (header) for (const parameter of Object.keys(header)) {
		if (parameters.has(parameter)) return !1;
		parameters.add(parameter);
	}
	return !0;
}
function assertNotSet(value, name) {
	if (value !== void 0) throw new TypeError(`${name} can only be called once`);
}
function decodeBase64url(value, label, ErrorClass) {
	try {
		return decode(value);
	} catch (cause) {
		throw new ErrorClass(`Failed to base64url decode the ${label}`, { cause });
	}
}
function encodeAsciiMember(value, label, ErrorClass) {
	try {
		return encode$1(value);
	} catch (cause) {
		throw new ErrorClass(`The ${label} is not a valid base64url string`, { cause });
	}
}
function parseJoseHeader(encodedProtectedHeader, ErrorClass, message) {
	let parsed;
	try {
		parsed = JSON.parse(strictDecoder.decode(decode(encodedProtectedHeader)));
	} catch (cause) {
		throw new ErrorClass(message, { cause });
	}
	if (!isObject(parsed)) throw new ErrorClass(message);
	return parsed;
}
var JWS_RECOGNIZED = {
	__proto__: null,
	b64: !0
};
function validateAlgorithms(option, algorithms) {
	if (algorithms !== void 0 && (!Array.isArray(algorithms) || algorithms.some((s) => typeof s != "string"))) throw new TypeError(`"${option}" option must be an array of strings`);
	return algorithms === void 0 ? void 0 : new Set(algorithms);
}
function validateCritDuplicates(Err, protectedHeader) {
	const { crit } = protectedHeader ?? {};
	if (Array.isArray(crit) && new Set(crit).size !== crit.length) throw new Err("\"crit\" (Critical) Header Parameter MUST NOT contain duplicate values");
}
function validateCrit(Err, recognizedDefault, recognizedOption, protectedHeader, joseHeader) {
	if (joseHeader.crit !== void 0 && protectedHeader?.crit === void 0) throw new Err("\"crit\" (Critical) Header Parameter MUST be integrity protected");
	if (!protectedHeader || protectedHeader.crit === void 0) return [];
	if (!Array.isArray(protectedHeader.crit) || protectedHeader.crit.length === 0 || protectedHeader.crit.some((input) => typeof input != "string" || input.length === 0)) throw new Err("\"crit\" (Critical) Header Parameter MUST be an array of non-empty strings when present");
	const recognized = recognizedOption === void 0 ? recognizedDefault : {
		__proto__: null,
		...recognizedOption,
		...recognizedDefault
	};
	for (const parameter of protectedHeader.crit) {
		if (!(parameter in recognized)) throw new JOSENotSupported(`Extension Header Parameter "${parameter}" is not recognized`);
		if (!Object.hasOwn(joseHeader, parameter) || joseHeader[parameter] === void 0) throw new Err(`Extension Header Parameter "${parameter}" is missing`);
		if (recognized[parameter] && (!Object.hasOwn(protectedHeader, parameter) || protectedHeader[parameter] === void 0)) throw new Err(`Extension Header Parameter "${parameter}" MUST be integrity protected`);
	}
	return protectedHeader.crit;
}
function validateB64(protectedHeader, extensions) {
	if (extensions.includes("b64")) {
		const b64 = protectedHeader.b64;
		if (typeof b64 != "boolean") throw new JWSInvalid("The \"b64\" (base64url-encode payload) Header Parameter must be a boolean");
		return b64;
	}
	return !0;
}
function serializeJoseHeader(Err, header) {
	let serialized, parsed;
	try {
		serialized = JSON.stringify(header), parsed = JSON.parse(serialized);
	} catch (cause) {
		throw new Err("JOSE Header is not valid JSON", { cause });
	}
	if (!isObject(parsed)) throw new Err("JOSE Header is not a JSON object");
	return [parsed, serialized];
}
// node_modules/jose/dist/webapi/lib/key.js
var tag = (key) => key[Symbol.toStringTag];
var jwkMatchesOp = (entry, key, usage) => {
	const { alg } = entry;
	if (key.use !== void 0) {
		const expected = usage === "sign" || usage === "verify" ? "sig" : "enc";
		if (key.use !== expected) throw new TypeError(`Invalid key for this operation, its "use" must be "${expected}" when present`);
	}
	if (key.alg !== void 0 && key.alg !== alg) throw new TypeError(`Invalid key for this operation, its "alg" must be "${alg}" when present`);
	if (Array.isArray(key.key_ops)) {
		const expectedKeyOp = usage === "encrypt" || usage === "decrypt" ? entry.ops?.[usage === "encrypt" ? 0 : 1] : usage;
		if (expectedKeyOp && !key.key_ops.includes(expectedKeyOp)) throw new TypeError(`Invalid key for this operation, its "key_ops" must include "${expectedKeyOp}" when present`);
	}
};
async function prepareKey(entry, key, usage) {
	const { alg, secret } = entry, requiresPrivateKey = usage === "decrypt" || usage === "sign";
	if (secret && key instanceof Uint8Array) return key;
	let normalized, keyObject;
	if (isObject(key)) {
		if (normalized = normalizeJwk(key), typeof normalized.kty != "string") throw invalidKeyType(alg, key, secret);
		if (!(secret ? normalized.kty === "oct" && typeof normalized.k == "string" : normalized.kty !== "oct" && (requiresPrivateKey ? normalized.kty === "AKP" && typeof normalized.priv == "string" || typeof normalized.d == "string" : normalized.d === void 0 && normalized.priv === void 0))) throw new TypeError(secret ? "JSON Web Key for symmetric algorithms must have JWK \"kty\" (Key Type) equal to \"oct\" and the JWK \"k\" (Key Value) present" : `JSON Web Key for this operation must be a ${requiresPrivateKey ? "private" : "public"} JWK`);
		if (jwkMatchesOp(entry, normalized, usage), normalized.kty === "oct") return decode(normalized.k);
		if (!Object.isFrozen(key)) {
			const { key_ops } = key;
			Array.isArray(key_ops) && Object.freeze(key_ops), Object.freeze(key);
		}
	} else {
		if (!isKeyLike(key)) throw invalidKeyType(alg, key, secret);
		const expectedType = secret ? "secret" : requiresPrivateKey ? "private" : "public";
		if (key.type !== expectedType && (secret || [
			"secret",
			"public",
			"private"
		].includes(key.type))) throw new TypeError(`${tag(key)} instances must be of type "${expectedType}" for the ${alg} algorithm`);
		if (isCryptoKey(key)) return key;
		if (keyObject = key, keyObject.type === "secret") return keyObject.export();
	}
	cache ||= /* @__PURE__ */ new WeakMap();
	const cacheKey = key;
	let cached = cache.get(cacheKey);
	if (cached?.[alg]) return cached[alg];
	if (cached || cache.set(cacheKey, cached = {}), keyObject && typeof keyObject.toCryptoKey == "function") {
		const isPublic = keyObject.type === "public", crv = nist[keyObject.asymmetricKeyDetails?.namedCurve], params = entry.resolve?.({
			crv,
			asymmetricKeyType: keyObject.asymmetricKeyType
		}) ?? entry.subtle;
		return cached[alg] = keyObject.toCryptoKey(params, isPublic, entry.usages[isPublic ? 0 : 1]);
	}
	return normalized ??= keyObject.export({ format: "jwk" }), normalized.alg = alg, cached[alg] = await jwkToKey(entry, normalized);
}
var cache;
var nist = {
	__proto__: null,
	prime256v1: "P-256",
	secp384r1: "P-384",
	secp521r1: "P-521"
};
var isCryptoKey = (key) => {
	if (key?.[Symbol.toStringTag] === "CryptoKey") return !0;
	try {
		return key instanceof CryptoKey;
	} catch {
		return !1;
	}
};
var isKeyObject = (key) => key?.[Symbol.toStringTag] === "KeyObject";
var isKeyLike = (key) => isCryptoKey(key) || isKeyObject(key);
function message(msg, actual, ...types) {
	if (types.length > 2) {
		const last = types.pop();
		msg += `one of type ${types.join(", ")}, or ${last}.`;
	} else types.length === 2 ? msg += `one of type ${types[0]} or ${types[1]}.` : msg += `of type ${types[0]}.`;
	return actual == null ? msg += ` Received ${actual}` : typeof actual == "function" && actual.name ? msg += ` Received function ${actual.name}` : typeof actual == "object" && actual != null && actual.constructor?.name && (msg += ` Received an instance of ${actual.constructor.name}`), msg;
}
function invalidKeyType(alg, actual, secret) {
	const types = [
		"CryptoKey",
		"KeyObject",
		"JSON Web Key"
	];
	return secret && types.push("Uint8Array"), new TypeError(message(`Key for the ${alg} algorithm must be `, actual, ...types));
}
var unusable = (name, prop = "algorithm.name") => /* @__PURE__ */ new TypeError(`CryptoKey does not support this operation, its ${prop} must be ${name}`);
function checkUsage(key, usage) {
	if (usage && !key.usages.includes(usage)) throw new TypeError(`CryptoKey does not support this operation, its usages must include ${usage}.`);
}
function checkModulusLength(alg, key) {
	const { modulusLength } = key.algorithm;
	if (typeof modulusLength != "number" || modulusLength < 2048) throw new TypeError(`${alg} requires key modulusLength to be 2048 bits or larger`);
}
function checkCryptoKey(key, expected, usage) {
	const algorithm = key.algorithm;
	if (algorithm.name !== expected.name) throw unusable(expected.name);
	if (expected.hash && algorithm.hash?.name !== expected.hash) throw unusable(expected.hash, "algorithm.hash");
	if (expected.namedCurve && algorithm.namedCurve !== expected.namedCurve) throw unusable(expected.namedCurve, "algorithm.namedCurve");
	if (expected.length !== void 0 && algorithm.length !== expected.length) throw unusable(expected.length, "algorithm.length");
	checkUsage(key, usage);
}
function snapshotJwk(jwk) {
	return {
		__proto__: null,
		...jwk
	};
}
function normalizeJwk(jwk) {
	const normalized = snapshotJwk(jwk);
	if (normalized.ext !== void 0 && typeof normalized.ext != "boolean") throw new TypeError("\"ext\" (Extractable) Parameter must be a boolean");
	if (normalized.key_ops !== void 0) {
		const value = normalized.key_ops, keyOps = Array.isArray(value) ? [...value] : void 0;
		if (!keyOps || keyOps.some((operation) => typeof operation != "string") || new Set(keyOps).size !== keyOps.length) throw new TypeError("\"key_ops\" (Key Operations) Parameter must be an array of unique strings");
		normalized.key_ops = keyOps;
	}
	return normalized;
}
async function jwkToKey(entry, jwk, extractable) {
	if (!entry.kty.includes(jwk.kty)) throw new JOSENotSupported("Invalid or unsupported JWK \"alg\" (Algorithm) Parameter value");
	const algorithm = entry.resolve?.({
		kty: jwk.kty,
		crv: jwk.crv
	}) ?? entry.subtle, isPrivate = !!(jwk.d || jwk.priv), keyData = {
		...jwk,
		ext: extractable ?? jwk.ext
	};
	return keyData.kty !== "AKP" && delete keyData.alg, delete keyData.use, crypto.subtle.importKey("jwk", keyData, algorithm, keyData.ext ?? !isPrivate, jwk.key_ops ?? entry.usages[isPrivate ? 1 : 0]);
}
async function rawKey(key, expected, usage, extractable = !1) {
	return key instanceof Uint8Array && (key = await crypto.subtle.importKey("raw", key, expected, extractable, [usage])), checkCryptoKey(key, expected, usage), key;
}
// node_modules/jose/dist/webapi/lib/key_descriptor.js
function table(entries) {
	const out = { __proto__: null };
	for (const alg in entries) out[alg] = {
		...entries[alg],
		alg
	};
	return out;
}
// node_modules/jose/dist/webapi/lib/jws_algorithms.js
var sig = [["verify"], ["sign"]];
function hmac(bits) {
	const subtle = {
		name: "HMAC",
		hash: `SHA-${bits}`
	};
	return {
		kty: ["oct"],
		secret: !0,
		subtle,
		signing: subtle,
		usages: sig
	};
}
function rsa(bits, saltLength) {
	const subtle = {
		name: saltLength ? "RSA-PSS" : "RSASSA-PKCS1-v1_5",
		hash: `SHA-${bits}`
	};
	return {
		kty: ["RSA"],
		subtle,
		signing: saltLength ? {
			...subtle,
			saltLength
		} : subtle,
		usages: sig,
		minRsaBits: 2048
	};
}
function ecdsa(crv, bits) {
	return {
		kty: ["EC"],
		crv,
		subtle: {
			name: "ECDSA",
			namedCurve: crv
		},
		signing: {
			name: "ECDSA",
			hash: `SHA-${bits}`
		},
		usages: sig
	};
}
function eddsa() {
	const subtle = { name: "Ed25519" };
	return {
		kty: ["OKP"],
		crv: "Ed25519",
		subtle,
		signing: subtle,
		usages: sig
	};
}
function mldsa(parameterSet) {
	const subtle = { name: `ML-DSA-${parameterSet}` };
	return {
		kty: ["AKP"],
		subtle,
		signing: subtle,
		usages: sig
	};
}
var JWS = table({
	HS256: hmac(256),
	HS384: hmac(384),
	HS512: hmac(512),
	RS256: rsa(256),
	RS384: rsa(384),
	RS512: rsa(512),
	PS256: rsa(256, 32),
	PS384: rsa(384, 48),
	PS512: rsa(512, 64),
	ES256: ecdsa("P-256", 256),
	ES384: ecdsa("P-384", 384),
	ES512: ecdsa("P-521", 512),
	EdDSA: eddsa(),
	Ed25519: eddsa(),
	"ML-DSA-44": mldsa(44),
	"ML-DSA-65": mldsa(65),
	"ML-DSA-87": mldsa(87)
});
function jwsAlgorithm(alg) {
	const entry = typeof alg == "string" ? JWS[alg] : void 0;
	if (!entry) throw new JOSENotSupported(`alg ${alg} is not supported either by JOSE or your javascript runtime`);
	return entry;
}
// node_modules/jose/dist/webapi/lib/jws_verify.js
function prepareVerify(options) {
	return [options && validateAlgorithms("algorithms", options.algorithms), options?.crit];
}
function parseProtectedHeader(encodedProtectedHeader) {
	return encodedProtectedHeader === void 0 ? {} : parseJoseHeader(encodedProtectedHeader, JWSInvalid, "JWS Protected Header is invalid");
}
function encodeCompactUnencodedPayload(payload) {
	try {
		return encode$1(payload);
	} catch (cause) {
		throw new JWSInvalid("JWS Compact Serialization payload must use only ASCII characters", { cause });
	}
}
async function verifySignature(jws, shared, key, encodeUnencodedPayload, parsedProtected) {
	const { protected: encodedProtectedHeader, header, payload: inputPayload } = jws, protectedHeader = parsedProtected ?? parseProtectedHeader(encodedProtectedHeader);
	if (!isDisjoint(protectedHeader, header)) throw new JWSInvalid("JWS Protected and JWS Unprotected Header Parameter names must be disjoint");
	const joseHeader = {
		...protectedHeader,
		...header
	}, b64 = validateB64(protectedHeader, validateCrit(JWSInvalid, JWS_RECOGNIZED, shared[1], protectedHeader, joseHeader)), { alg } = joseHeader;
	if (typeof alg != "string" || !alg) throw new JWSInvalid("JWS \"alg\" (Algorithm) Header Parameter missing or invalid");
	if (shared[0] && !shared[0].has(alg)) throw new JOSEAlgNotAllowed("\"alg\" (Algorithm) Header Parameter value not allowed");
	if (b64) {
		if (typeof inputPayload != "string") throw new JWSInvalid("JWS Payload must be a string");
	} else if (typeof inputPayload != "string" && !(inputPayload instanceof Uint8Array)) throw new JWSInvalid("JWS Payload must be a string or an Uint8Array instance");
	const signingPayload = b64 || typeof inputPayload != "string" ? inputPayload : encodeUnencodedPayload(inputPayload);
	let resolvedKey = !1;
	typeof key == "function" && (key = await key(protectedHeader, jws), resolvedKey = !0);
	const entry = jwsAlgorithm(alg), signingInput = concat(encodedProtectedHeader !== void 0 ? encode$1(encodedProtectedHeader) : /* @__PURE__ */ new Uint8Array(), encode$1("."), typeof signingPayload == "string" ? shared[2] ??= encodeAsciiMember(signingPayload, "payload", JWSInvalid) : signingPayload), signature = decodeBase64url(jws.signature, "signature", JWSInvalid), verificationKey = await prepareKey(entry, key, "verify"), cryptoKey = await rawKey(verificationKey, entry.subtle, "verify");
	entry.minRsaBits && checkModulusLength(entry.alg, cryptoKey);
	let verified = !1;
	try {
		verified = await crypto.subtle.verify(entry.signing, cryptoKey, signature, signingInput);
	} catch (cause) {
		throw new JWSSignatureVerificationFailed(void 0, { cause });
	}
	if (!verified) throw new JWSSignatureVerificationFailed();
	const result = { payload: typeof signingPayload == "string" ? decodeBase64url(signingPayload, "payload", JWSInvalid) : signingPayload };
	return encodedProtectedHeader !== void 0 && (result.protectedHeader = protectedHeader), header !== void 0 && (result.unprotectedHeader = header), resolvedKey ? [{
		...result,
		key: verificationKey
	}, b64] : [result, b64];
}
async function verifyCompact(jws, shared, key) {
	if (jws instanceof Uint8Array && (jws = decoder.decode(jws)), typeof jws != "string") throw new JWSInvalid("Compact JWS must be a string or Uint8Array");
	const { 0: protectedHeader, 1: payload, 2: signature, length } = jws.split(".");
	if (length !== 3) throw new JWSInvalid("Invalid Compact JWS");
	return verifySignature({
		payload,
		protected: protectedHeader,
		signature
	}, shared, key, encodeCompactUnencodedPayload);
}
// node_modules/jose/dist/webapi/lib/jwt_claims_set.js
var epoch = (date) => Math.floor(date.getTime() / 1e3);
var multipliers = {
	s: 1,
	m: 60,
	h: 3600,
	d: 86400,
	w: 604800,
	y: 31557600
};
var REGEX = /^(\+|\-)? ?(\d+|\d+\.\d+) ?(seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|w|years?|yrs?|y)(?: (ago|from now))?$/i;
var checkFailed = "check_failed";
function invalidDuration() {
	throw new TypeError("Invalid time period format");
}
function secs(str) {
	typeof str != "string" && invalidDuration();
	const matched = REGEX.exec(str);
	(!matched || matched[4] && matched[1]) && invalidDuration();
	const value = parseFloat(matched[2]), durationSeconds = Math.round(value * multipliers[matched[3][0].toLowerCase()]);
	return Number.isFinite(durationSeconds) || invalidDuration(), matched[1] === "-" || matched[4] === "ago" ? -durationSeconds : durationSeconds;
}
function validateInput(label, input) {
	if (!Number.isFinite(input)) throw new TypeError(`Invalid ${label} input`);
	return input;
}
function validateStringClaim(claim, value) {
	if (typeof value != "string") throw new TypeError(`"${claim}" claim must be a string`);
}
function validateAudienceClaim(value) {
	if (typeof value != "string" && (!Array.isArray(value) || Array.from(value).some((member) => typeof member != "string"))) throw new TypeError("\"aud\" claim must be a string or an array of strings");
}
function numericDate(value, label) {
	return typeof value == "number" ? validateInput(label, value) : value instanceof Date ? validateInput(label, epoch(value)) : epoch(/* @__PURE__ */ new Date()) + secs(value);
}
var normalizeTyp = (value) => {
	const normalized = value.toLowerCase();
	return value.includes("/") ? normalized : `application/${normalized}`;
};
var checkAudiencePresence = (audPayload, audOption) => typeof audPayload == "string" ? audOption.includes(audPayload) : Array.isArray(audPayload) ? audOption.some((aud) => audPayload.includes(aud)) : !1;
function validateNumericDate(claimsSet, claim, required = !1) {
	const value = claimsSet[claim];
	if (!(value === void 0 && !required)) {
		if (typeof value != "number") throw new JWTClaimValidationFailed(`"${claim}" claim must be a number`, claimsSet, claim, "invalid");
		return value;
	}
}
function unexpectedClaim(claimsSet, claim) {
	throw new JWTClaimValidationFailed(`unexpected "${claim}" claim value`, claimsSet, claim, checkFailed);
}
function validateClaimsSet(protectedHeader, claimsSetBytes, options = {}) {
	let claimsSet;
	try {
		claimsSet = JSON.parse(strictDecoder.decode(claimsSetBytes));
	} catch (cause) {
		throw new JWTInvalid("JWT Claims Set must be a top-level JSON object", { cause });
	}
	if (!isObject(claimsSet)) throw new JWTInvalid("JWT Claims Set must be a top-level JSON object");
	const { typ } = options;
	if (typ !== void 0 && (typeof protectedHeader.typ != "string" || normalizeTyp(protectedHeader.typ) !== normalizeTyp(typ))) throw new JWTClaimValidationFailed("unexpected \"typ\" JWT header value", claimsSet, "typ", checkFailed);
	const { requiredClaims = [], issuer, subject, audience, maxTokenAge } = options, presenceCheck = [...requiredClaims];
	maxTokenAge !== void 0 && presenceCheck.push("iat"), audience !== void 0 && presenceCheck.push("aud"), subject !== void 0 && presenceCheck.push("sub"), issuer !== void 0 && presenceCheck.push("iss");
	for (const claim of new Set(presenceCheck.reverse())) if (!Object.hasOwn(claimsSet, claim)) throw new JWTClaimValidationFailed(`missing required "${claim}" claim`, claimsSet, claim, "missing");
	issuer !== void 0 && !(Array.isArray(issuer) ? issuer : [issuer]).includes(claimsSet.iss) && unexpectedClaim(claimsSet, "iss"), subject !== void 0 && claimsSet.sub !== subject && unexpectedClaim(claimsSet, "sub"), audience !== void 0 && !checkAudiencePresence(claimsSet.aud, typeof audience == "string" ? [audience] : audience) && unexpectedClaim(claimsSet, "aud");
	const { clockTolerance } = options;
	let tolerance = 0;
	if (typeof clockTolerance == "string") tolerance = secs(clockTolerance);
	else if (clockTolerance !== void 0) {
		if (typeof clockTolerance != "number") throw new TypeError("Invalid clockTolerance option type");
		tolerance = clockTolerance;
	}
	if (validateInput("clockTolerance option", tolerance), tolerance < 0) throw new TypeError("Invalid clockTolerance option input");
	const { currentDate } = options, now = validateInput("currentDate option", epoch(currentDate === void 0 ? /* @__PURE__ */ new Date() : currentDate)), iat = validateNumericDate(claimsSet, "iat", maxTokenAge !== void 0), nbf = validateNumericDate(claimsSet, "nbf");
	if (nbf !== void 0 && nbf > now + tolerance) throw new JWTClaimValidationFailed("\"nbf\" claim timestamp check failed", claimsSet, "nbf", checkFailed);
	const exp = validateNumericDate(claimsSet, "exp");
	if (exp !== void 0 && exp <= now - tolerance) throw new JWTExpired("\"exp\" claim timestamp check failed", claimsSet, "exp", checkFailed);
	if (maxTokenAge !== void 0) {
		const age = now - iat, max = validateInput("maxTokenAge option", typeof maxTokenAge == "number" ? maxTokenAge : secs(maxTokenAge));
		if (max < 0) throw new TypeError("Invalid maxTokenAge option input");
		if (age - tolerance > max) throw new JWTExpired("\"iat\" claim timestamp check failed (too far in the past)", claimsSet, "iat", checkFailed);
		if (age < -tolerance) throw new JWTClaimValidationFailed("\"iat\" claim timestamp check failed (it should be in the past)", claimsSet, "iat", checkFailed);
	}
	return claimsSet;
}
var producerClaimsSets;
function producerClaimsSet(producer) {
	return producerClaimsSets.get(producer);
}
function jwtClaimsSetBytes(producer) {
	const claimsSet = producerClaimsSet(producer);
	for (const claim of [
		"iat",
		"nbf",
		"exp"
	]) {
		const value = claimsSet[claim];
		if (typeof value == "number" && !Number.isFinite(value)) throw new TypeError(`"${claim}" claim must be a finite number`);
	}
	return encoder.encode(JSON.stringify(claimsSet));
}
var JWTClaimsBuilder = class {
	constructor(claimsSet = {}) {
		if (!isObject(claimsSet)) throw new TypeError("JWT Claims Set MUST be an object");
		(producerClaimsSets ||= /* @__PURE__ */ new WeakMap()).set(this, structuredClone(claimsSet));
	}
	setIssuer(value) {
		return validateStringClaim("iss", value), producerClaimsSet(this).iss = value, this;
	}
	setSubject(value) {
		return validateStringClaim("sub", value), producerClaimsSet(this).sub = value, this;
	}
	setAudience(value) {
		return validateAudienceClaim(value), producerClaimsSet(this).aud = value, this;
	}
	setJti(value) {
		return validateStringClaim("jti", value), producerClaimsSet(this).jti = value, this;
	}
	setNotBefore(value) {
		return producerClaimsSet(this).nbf = numericDate(value, "setNotBefore"), this;
	}
	setExpirationTime(value) {
		return producerClaimsSet(this).exp = numericDate(value, "setExpirationTime"), this;
	}
	setIssuedAt(value) {
		const claimsSet = producerClaimsSet(this);
		return value === void 0 ? claimsSet.iat = epoch(/* @__PURE__ */ new Date()) : typeof value == "string" ? claimsSet.iat = validateInput("setIssuedAt", epoch(/* @__PURE__ */ new Date()) + secs(value)) : claimsSet.iat = numericDate(value, "setIssuedAt"), this;
	}
};
// node_modules/jose/dist/webapi/jwt/verify.js
async function jwtVerify(jwt, key, options) {
	const [verified, b64] = await verifyCompact(jwt, prepareVerify(options), key);
	if (!b64) throw new JWTInvalid("JWTs MUST NOT use unencoded payload");
	const payload = validateClaimsSet(verified.protectedHeader, verified.payload, options);
	return {
		...verified,
		payload
	};
}
// node_modules/jose/dist/webapi/lib/jws_sign.js
async function createSignature(input, key, rejectUnencoded) {
	let [payload, protectedHeader, unprotectedHeader, crit] = input, encodedProtectedHeader = "";
	if (protectedHeader !== void 0) {
		const normalized = serializeJoseHeader(JWSInvalid, protectedHeader);
		protectedHeader = normalized[0], encodedProtectedHeader = encode(normalized[1]);
	}
	if (unprotectedHeader !== void 0 && (unprotectedHeader = serializeJoseHeader(JWSInvalid, unprotectedHeader)[0]), !protectedHeader && !unprotectedHeader) throw new JWSInvalid("either setProtectedHeader or setUnprotectedHeader must be called before #sign()");
	if (!isDisjoint(protectedHeader, unprotectedHeader)) throw new JWSInvalid("JWS Protected and JWS Unprotected Header Parameter names must be disjoint");
	const joseHeader = {
		...protectedHeader,
		...unprotectedHeader
	};
	validateCritDuplicates(JWSInvalid, protectedHeader);
	const b64 = validateB64(protectedHeader, validateCrit(JWSInvalid, JWS_RECOGNIZED, crit, protectedHeader, joseHeader));
	b64 || rejectUnencoded?.();
	const { alg } = joseHeader;
	if (typeof alg != "string" || !alg) throw new JWSInvalid("JWS \"alg\" (Algorithm) Header Parameter missing or invalid");
	const entry = jwsAlgorithm(alg);
	let encodedPayload = "", signingPayload = payload, signingInput;
	if (b64) {
		const encodedPayloadCache = input[4];
		encodedPayloadCache ? (encodedPayload = encodedPayloadCache[0] ??= encode(payload), signingPayload = encodedPayloadCache[1] ??= encode$1(encodedPayload)) : (encodedPayload = encode(payload), signingInput = encoder.encode(`${encodedProtectedHeader}.${encodedPayload}`));
	}
	signingInput ??= concat(encode$1(encodedProtectedHeader), encode$1("."), signingPayload);
	const signingKey = await rawKey(await prepareKey(entry, key, "sign"), entry.subtle, "sign");
	entry.minRsaBits && checkModulusLength(entry.alg, signingKey);
	const jws = {
		signature: encode(new Uint8Array(await crypto.subtle.sign(entry.signing, signingKey, signingInput))),
		payload: encodedPayload
	};
	return protectedHeader && (jws.protected = encodedProtectedHeader), unprotectedHeader && (jws.header = unprotectedHeader), [jws, b64];
}
async function createCompactSignature(payload, protectedHeader, crit, key, rejectUnencoded) {
	const [jws] = await createSignature([
		payload,
		protectedHeader,
		void 0,
		crit
	], key, rejectUnencoded);
	return `${jws.protected}.${jws.payload}.${jws.signature}`;
}
// node_modules/jose/dist/webapi/jwt/sign.js
var SignJWT_base = JWTClaimsBuilder;
var SignJWT = class extends SignJWT_base {
	#protectedHeader;
	setProtectedHeader(protectedHeader) {
		return assertNotSet(this.#protectedHeader, "setProtectedHeader"), this.#protectedHeader = protectedHeader, this;
	}
	async sign(key, options) {
		return createCompactSignature(jwtClaimsSetBytes(this), this.#protectedHeader, options?.crit, key, () => {
			throw new JWTInvalid("JWTs MUST NOT use unencoded payload");
		});
	}
};
// src/tokens.ts
var ALGORITHM = "HS256";
/** Nothing else that is signed with the same secret passes for a token. */
var AUDIENCE = "inshore-worker/v1/chat";
/** Mints and spends the tokens of pages: one origin, one request, a short life. */
var Tokens = class {
	config;
	used;
	constructor(config, used) {
		this.config = config;
		this.used = used;
	}
	/**
	* A token for a page of this origin.
	*
	* @throws {ApiError} `origin_not_allowed`
	*/
	async mint(origin) {
		if (origin === null || !this.config.origins.has(origin)) throw new ApiError(403, "origin_not_allowed", "Tokens are for pages of the allowed origins only.");
		const now = Math.floor(Date.now() / 1e3);
		return {
			token: await new SignJWT({ origin }).setProtectedHeader({ alg: ALGORITHM }).setAudience(AUDIENCE).setJti(crypto.randomUUID()).setIssuedAt(now).setExpirationTime(now + this.config.tokenTtlS).sign(this.config.tokenSecret),
			expires_in: this.config.tokenTtlS
		};
	}
	/**
	* Takes a request's bearer token; after this it is used up, whatever becomes of the request.
	*
	* @throws {ApiError} 401 `token_missing`, `token_invalid`, `token_expired`, `token_audience`, `token_foreign` or
	*   `token_replayed`; 503 `token_store_unavailable`
	*/
	async spend(headers) {
		const { jti, exp, origin } = await this.#verify(bearerOf(headers));
		if (origin !== headers.get("origin") || !this.config.origins.has(String(origin))) throw refusal("token_foreign", "This token belongs to another origin; fetch one from the page that uses it.");
		if (typeof jti !== "string" || exp === void 0) throw invalid();
		if (!await this.#spendOnce(jti, exp)) throw refusal("token_replayed", "This token was used already; fetch a new one for each request.");
	}
	async #verify(token) {
		try {
			const { payload } = await jwtVerify(token, this.config.tokenSecret, {
				algorithms: [ALGORITHM],
				audience: AUDIENCE,
				requiredClaims: [
					"jti",
					"iat",
					"exp",
					"origin"
				],
				maxTokenAge: this.config.tokenTtlS
			});
			return payload;
		} catch (error) {
			throw refusalOf(error);
		}
	}
	async #spendOnce(id, expiresAtS) {
		try {
			return await this.used.spend(id, expiresAtS);
		} catch {
			throw new ApiError(503, "token_store_unavailable", "Tokens cannot be checked right now; try again later.");
		}
	}
};
function bearerOf(headers) {
	const token = /^Bearer +(\S+)$/i.exec(headers.get("authorization") ?? "")?.[1];
	if (token !== void 0) return token;
	throw refusal("token_missing", "This needs a token: POST /v1/token, then send it as `Authorization: Bearer`.");
}
function refusalOf(error) {
	if (error instanceof JWTExpired) return refusal("token_expired", "This token has expired; fetch a new one right before each request.");
	if (error instanceof JWTClaimValidationFailed && error.claim === "aud") return refusal("token_audience", "This token was made for something else; fetch one from /v1/token.");
	return invalid();
}
var refusal = (code, message) => new ApiError(401, code, message);
var invalid = () => refusal("token_invalid", "This is no token of this worker; fetch one from /v1/token.");
// src/app.ts
/** Methods of each path. */
var ROUTES = {
	"/health": "GET",
	"/v1/models": "GET",
	"/v1/token": "POST",
	"/v1/chat/completions": "POST"
};
/** The `fetch` handler, without anything of one host in it. */
function createApp(config, log) {
	const tokens = new Tokens(config, config.usedTokens === void 0 ? new MemorySingleUse() : new DurableSingleUse(config.usedTokens));
	const mints = new RateLimit(config.mintsPerMinute);
	const models = [...config.models.keys()].map((id) => ({
		id,
		object: "model",
		created: 0,
		owned_by: "inshore"
	}));
	const app = new Hono();
	app.use(async (c, next) => {
		const record = new RequestRecord(routeOf(c.req.method, c.req.path), log);
		c.set("record", record);
		const origin = c.req.header("origin") ?? null;
		if (c.req.method === "OPTIONS") c.res = preflight(origin, config);
		else await next();
		const headers = answerHeaders(origin, config.origins, record.requestId);
		for (const [name, value] of Object.entries(headers)) c.res.headers.set(name, value);
		record.handled(c.res.status, c.error === void 0 ? "complete" : ApiError.from(c.error).code);
	});
	app.get("/health", (c) => c.json({ status: "ok" }));
	app.get("/v1/models", (c) => c.json({
		object: "list",
		data: models
	}));
	app.post("/v1/token", async (c) => {
		const client = config.clientIpHeader === void 0 ? c.env.address : c.req.header(config.clientIpHeader);
		const waitS = client === void 0 ? void 0 : mints.take(client);
		if (waitS !== void 0) throw new ApiError(429, "rate_limited", "Too many tokens were fetched from this address; wait a little.", { retryAfter: String(waitS) });
		return c.json(await tokens.mint(c.req.header("origin") ?? null));
	});
	app.post("/v1/chat/completions", (c) => chat(c.req.raw, config, tokens, c.get("record")));
	app.notFound((c) => {
		const method = ROUTES[c.req.path];
		const error = method === void 0 ? new ApiError(404, "not_found", "There is nothing at this address; see /v1/chat/completions.") : new ApiError(405, "wrong_method", `This address wants ${method}.`);
		c.error = error;
		return errorResponse(error);
	});
	app.onError((thrown, c) => {
		const record = c.get("record");
		if (thrown instanceof UpstreamRefusal) record.add({ upstream_status: thrown.upstreamStatus });
		if (!(thrown instanceof ApiError)) record.add({ fault: faultOf(thrown) });
		return errorResponse(ApiError.from(thrown));
	});
	return app;
}
/** For the log: paths of others may hold anything. */
function routeOf(method, path) {
	const isOurs = Object.hasOwn(ROUTES, path);
	return `${[
		"GET",
		"POST",
		"OPTIONS"
	].includes(method) ? method : "other"} ${isOurs ? path : "other"}`;
}
function preflight(origin, config) {
	if (origin !== null && config.origins.has(origin)) return new Response(null, {
		status: 204,
		headers: PREFLIGHT_HEADERS
	});
	return errorResponse(new ApiError(403, "origin_not_allowed", "This origin may not use this worker."));
}
/** An error as a response. */
function errorResponse(error) {
	const { retryAfter } = error.details;
	return Response.json(error.body, {
		status: error.status,
		headers: retryAfter === void 0 ? {} : { "retry-after": retryAfter }
	});
}
/** Class and place of a fault. Its message could hold anything. */
function faultOf(thrown) {
	if (!(thrown instanceof Error)) return typeof thrown;
	const place = thrown.stack?.split("\n").find((line) => /^\s+at /.test(line));
	return `${thrown.name}${place ?? ""}`;
}
// src/upstream_config.ts
var FIELDS = /* @__PURE__ */ new Set([
	"name",
	"base_url",
	"key",
	"models",
	"inshore",
	"prefix",
	"max_tokens_field",
	"plain_http"
]);
/** Reads `INSHORE_UPSTREAMS` and the keys that it names. */
function parseUpstreams(env, problems) {
	const list = jsonOf(env, "INSHORE_UPSTREAMS", problems);
	if (!Array.isArray(list) || list.length === 0) {
		problems.push("INSHORE_UPSTREAMS: write a JSON array with at least one upstream");
		return [];
	}
	return list.map((item, index) => parseUpstream(recordOf(item) ?? {}, index, env, problems));
}
function parseUpstream(fields, index, env, problems) {
	const name = typeof fields.name === "string" ? fields.name : `upstream ${index}`;
	const problem = (text) => problems.push(`INSHORE_UPSTREAMS: ${name}: ${text}`);
	for (const field of Object.keys(fields)) if (!FIELDS.has(field)) problem(`there is no field \`${field}\`; there are ${[...FIELDS].join(", ")}`);
	const flag = (field) => {
		const value = fields[field] ?? false;
		if (typeof value !== "boolean") problem(`${field} is true or false`);
		return value === true;
	};
	const key = keyOf(fields.key, env, problem);
	const baseUrl = baseUrlOf(fields.base_url, problem);
	if (key !== void 0 && isOpenToAll(baseUrl) && !flag("plain_http")) problem("its key would cross the network in the clear; use https, or say \"plain_http\": true");
	const limit = fields.max_tokens_field ?? "max_tokens";
	if (limit !== "max_tokens" && limit !== "max_completion_tokens") problem("max_tokens_field is max_tokens or max_completion_tokens");
	return {
		name,
		baseUrl,
		key,
		models: modelsOf$1(fields.models, problem),
		inshore: flag("inshore"),
		prefix: flag("prefix"),
		maxTokensField: limit === "max_completion_tokens" ? limit : "max_tokens"
	};
}
function baseUrlOf(value, problem) {
	try {
		const url = new URL(String(value));
		const isPlain = url.search === "" && url.hash === "" && url.username === "" && url.password === "";
		if (/^https?:$/.test(url.protocol) && isPlain) return url.href.replace(/\/+$/, "");
	} catch {}
	problem("base_url is the address up to and with /v1, as https://api.example/v1, without user, password or query");
	return "";
}
function isOpenToAll(baseUrl) {
	if (!baseUrl.startsWith("http:")) return false;
	return ![
		"localhost",
		"127.0.0.1",
		"[::1]"
	].includes(new URL(baseUrl).hostname);
}
/** The key itself, from the binding that `key` names. */
function keyOf(binding, env, problem) {
	if (binding === void 0) return void 0;
	if (typeof binding !== "string" || !/^[A-Z][A-Z0-9_]*$/.test(binding)) {
		problem("key is the name of the binding that holds the key, in capitals, as OPENAI_KEY; not the key itself");
		return;
	}
	const key = env[binding];
	if (typeof key === "string" && /^[\x21-\x7e]{8,}$/.test(key)) return key;
	problem(`the binding ${binding} holds no key: it wants at least 8 printable characters without spaces`);
}
function modelsOf$1(value, problem) {
	const pairs = Array.isArray(value) ? value.map((name) => [name, name]) : Object.entries(recordOf(value) ?? {});
	const isName = (name) => typeof name === "string" && name !== "";
	if (pairs.length === 0 || !pairs.flat().every(isName)) {
		problem("models names what it serves: [\"name\"], or {\"public name\": \"its own name\"}");
		return /* @__PURE__ */ new Map();
	}
	return new Map(pairs);
}
// src/config.ts
/** The configuration is wrong. `problems` name bindings and what to do, never the value of a secret. */
var ConfigError = class extends Error {
	problems;
	name = "ConfigError";
	constructor(problems) {
		super(`The worker's configuration is wrong:\n${problems.map((problem) => `- ${problem}`).join("\n")}`);
		this.problems = problems;
	}
};
/** HS256 wants a key as long as its hash. */
var MIN_SECRET_BYTES = 32;
/**
* Reads and checks all bindings.
*
* @throws {ConfigError} with every problem at once
*/
function parseConfig(env, host) {
	const problems = [];
	const integer = (name, fallback, min, max) => numberOf(env, name, {
		fallback,
		min,
		max
	}, problems);
	const config = {
		models: modelsOf(parseUpstreams(env, problems), problems),
		origins: originsOf(env, problems),
		tokenSecret: secretOf(env, problems),
		tokenTtlS: integer("INSHORE_TOKEN_TTL_S", 60, 1, 600),
		maxTokens: integer("INSHORE_MAX_TOKENS", 1024, 1, 1e6),
		maxBodyBytes: integer("INSHORE_MAX_BODY_BYTES", 262144, 1024, 16777216),
		firstByteTimeoutMs: integer("INSHORE_FIRST_BYTE_TIMEOUT_MS", 3e4, 10, 6e5),
		idleTimeoutMs: integer("INSHORE_IDLE_TIMEOUT_MS", 3e4, 10, 6e5),
		heartbeatMs: integer("INSHORE_HEARTBEAT_MS", host.heartbeatMs, 0, 6e4),
		earlyStreamMs: integer("INSHORE_EARLY_STREAM_MS", host.earlyStreamMs, 0, 6e5),
		mintsPerMinute: integer("INSHORE_MINTS_PER_MINUTE", 60, 0, 1e6),
		clientIpHeader: headerOf(env, problems),
		usedTokens: namespaceOf(env, problems)
	};
	if (problems.length > 0) throw new ConfigError(problems);
	return config;
}
function modelsOf(upstreams, problems) {
	const models = /* @__PURE__ */ new Map();
	for (const upstream of upstreams) for (const [name, model] of upstream.models) {
		const other = models.get(name);
		if (other !== void 0) problems.push(`INSHORE_UPSTREAMS: ${other.upstream.name} and ${upstream.name} both serve \`${name}\`; give one another name`);
		models.set(name, {
			upstream,
			model
		});
	}
	return models;
}
function originsOf(env, problems) {
	const origins = listOf(env, "INSHORE_ORIGINS", problems);
	for (const origin of origins) if (!isOrigin(origin)) problems.push(`INSHORE_ORIGINS: \`${origin}\` is no origin; write scheme and host without a slash at the end, as https://app.example`);
	return new Set(origins);
}
/** `*` and `null` are none: a token for everyone protects nothing. */
function isOrigin(text) {
	try {
		return new URL(text).origin === text && /^https?:/.test(text);
	} catch {
		return false;
	}
}
function secretOf(env, problems) {
	const secret = env.INSHORE_TOKEN_SECRET;
	const bytes = new TextEncoder().encode(typeof secret === "string" ? secret : "");
	if (bytes.byteLength < MIN_SECRET_BYTES) problems.push(`INSHORE_TOKEN_SECRET: set a secret of at least ${MIN_SECRET_BYTES} random bytes, as \`openssl rand -hex 32\` prints`);
	return bytes;
}
function headerOf(env, problems) {
	const header = env.INSHORE_CLIENT_IP_HEADER;
	if (header === void 0 || header === null || header === "") return void 0;
	if (typeof header === "string" && /^[\w-]+$/.test(header)) return header.toLowerCase();
	problems.push("INSHORE_CLIENT_IP_HEADER: write the name of one header, as cf-connecting-ip");
}
function namespaceOf(env, problems) {
	const binding = env.USED_TOKENS;
	if (binding === void 0 || binding === null) return void 0;
	const namespace = recordOf(binding);
	if (typeof namespace?.idFromName === "function" && typeof namespace.get === "function") return binding;
	problems.push("USED_TOKENS: bind the Durable Object class UsedTokens; a KV namespace is too slow to notice that a token comes twice");
}
// src/used_tokens.ts
/** `delete` takes so many keys at once. */
var DELETE_BATCH = 128;
/** Expired entries are dropped so often. */
var SWEEP_MS = 6e4;
/**
* The Durable Object that remembers used tokens: `{ id, expiresAtS }` comes in, 204 goes out at the first use and 409 at
* every other. The runtime lets no second request in between `get` and `put`, so of two at once one wins.
*/
var UsedTokens = class {
	#storage;
	constructor(state) {
		this.#storage = state.storage;
	}
	async fetch(request) {
		const { id, expiresAtS } = await request.json();
		if (await this.#storage.get(id) !== void 0) return new Response(null, { status: 409 });
		await this.#storage.put(id, expiresAtS);
		if (await this.#storage.getAlarm() === null) await this.#storage.setAlarm(Date.now() + SWEEP_MS);
		return new Response(null, { status: 204 });
	}
	/** Forgets what has expired: such a token is refused for its age. */
	async alarm() {
		const entries = [...await this.#storage.list()];
		const nowS = Date.now() / 1e3;
		const expired = entries.filter(([, expiresAtS]) => expiresAtS <= nowS).map(([id]) => id);
		for (let start = 0; start < expired.length; start += DELETE_BATCH) await this.#storage.delete(expired.slice(start, start + DELETE_BATCH));
		if (expired.length < entries.length) await this.#storage.setAlarm(Date.now() + SWEEP_MS);
	}
};
// src/worker.ts
/** Entry for workerd and hosts like it: `export default { fetch }`, and the Durable Object of used tokens. */
/** See `relay.ts` and `chat.ts`: workerd must write to learn that a client is gone. */
var DEFAULTS = {
	heartbeatMs: 50,
	earlyStreamMs: 1e3
};
var app;
var worker_default = { async fetch(request, env) {
	try {
		app ??= start(env);
	} catch (error) {
		return misconfigured(error);
	}
	return app.fetch(request, {});
} };
function start(env) {
	const config = parseConfig(env, DEFAULTS);
	if (config.usedTokens === void 0) consoleLog({ warning: "USED_TOKENS is not bound: used tokens are known to this isolate only; other isolates would take them again" });
	return createApp(config, consoleLog);
}
/** The operator reads what is wrong in the log; the page is told only that it is the operator's turn. */
function misconfigured(error) {
	consoleLog({ error: error instanceof ConfigError ? error.problems : "the worker could not start" });
	return errorResponse(new ApiError(500, "worker_misconfigured", "The worker's operator must correct its configuration."));
}
export { UsedTokens, worker_default as default };
