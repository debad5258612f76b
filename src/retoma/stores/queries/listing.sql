-- Lists of sessions, page by page: one driving index each, and filters that are put behind it.

-- fragment: page
SELECT {columns}, {at} {source}

-- fragment: count
SELECT count(*) FROM (SELECT 1 {source} LIMIT :limit) AS found

-- fragment: from_recent
FROM session s WHERE s.tenant = :tenant AND s.shelf = :shelf

-- fragment: from_name
FROM session_name n CROSS JOIN session s ON s.pk = n.session
WHERE n.tenant = :tenant AND s.tenant = :tenant AND s.shelf = :shelf

-- fragment: from_tag
FROM session_tag o CROSS JOIN session s ON s.pk = o.session
WHERE o.tenant = :tenant AND o.tag = :tag AND s.tenant = :tenant AND s.shelf = :shelf

-- fragment: from_context
FROM session_context o CROSS JOIN session s ON s.pk = o.session
WHERE o.tenant = :tenant AND o.kind = :kind AND o.ref = :ref AND s.tenant = :tenant AND s.shelf = :shelf

-- fragment: with_status
AND s.status = :status

-- fragment: with_agent
AND s.agent = :agent

-- fragment: with_flow
AND s.flow = :flow

-- fragment: with_parent
AND s.parent = :parent

-- fragment: with_expiry
AND s.expires_at IS NOT NULL

-- fragment: with_since
AND s.updated_at >= :since

-- fragment: with_before
AND s.updated_at < :before

-- fragment: with_tag
AND EXISTS (SELECT 1 FROM session_tag x WHERE x.session = s.pk AND x.tag = :tag{n})

-- fragment: with_context
AND EXISTS (SELECT 1 FROM session_context x WHERE x.session = s.pk AND x.kind = :kind{n} AND x.ref = :ref{n})

-- fragment: with_keys
AND s.pk IN (:k0, :k1, :k2, :k3, :k4, :k5, :k6, :k7, :k8, :k9, :k10, :k11, :k12, :k13, :k14, :k15, :k16, :k17, :k18, :k19,
:k20, :k21, :k22, :k23, :k24, :k25, :k26, :k27, :k28, :k29, :k30, :k31, :k32, :k33, :k34, :k35, :k36, :k37,
:k38, :k39, :k40, :k41, :k42, :k43, :k44, :k45, :k46, :k47, :k48, :k49, :k50, :k51, :k52, :k53, :k54, :k55,
:k56, :k57, :k58, :k59, :k60, :k61, :k62, :k63)

-- fragment: after
AND ({o}.pinned, {at}, {key}) < (:pinned, :at, :pk)

-- fragment: order
ORDER BY {o}.pinned DESC, {at} DESC, {key} DESC LIMIT :limit

-- fragment: after_name
AND n.id > :name

-- fragment: order_name
ORDER BY n.id LIMIT :limit
